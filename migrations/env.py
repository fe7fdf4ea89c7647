"""Runs the migrations on the connection that `app.store.engine` opened, inside its transaction."""

from typing import Any, Literal

from alembic import context
from sqlalchemy.types import TypeDecorator

from app.store.tables import metadata


def _render(kind: str, item: Any, _autogen: object) -> str | Literal[False]:
    """Write a column's type as the database's own: a migration must not change when the domain does."""
    return f"sa.{item.impl!r}" if kind == "type" and isinstance(item, TypeDecorator) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    render_item=_render,
)
with context.begin_transaction():
    context.run_migrations()
