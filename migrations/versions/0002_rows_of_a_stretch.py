"""Segments that were claimed together share a file of rows: where in it those of each one lie."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Add the first byte and the size of a segment's rows; without a size they are all of their file."""
    op.add_column("segments", sa.Column("outputs_start", sa.BigInteger()))
    op.add_column("segments", sa.Column("outputs_size", sa.BigInteger()))


def downgrade() -> None:
    """Forget where in their file rows lie: jobs whose segments share one cannot be read any more."""
    op.drop_column("segments", "outputs_size")
    op.drop_column("segments", "outputs_start")
