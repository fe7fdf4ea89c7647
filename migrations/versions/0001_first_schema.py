"""The first schema: jobs, their segments, where their time went, decisions, warnings and facts."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Create every table, and the one row that counts facts."""
    _create_jobs()
    _create_breakdowns()
    _create_decisions()
    _create_facts()
    _create_job_plugins()
    _create_job_tags()
    _create_pipelines()
    _create_segments()
    _create_warnings()
    _create_fact_counter()


def downgrade() -> None:
    """Drop every table."""
    belonging = ("warnings", "segments", "job_tags", "job_plugins", "facts", "decisions", "breakdowns")
    for table in ("fact_counter", "pipelines", *belonging, "jobs"):
        op.drop_table(table)


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("wanted", sa.String(length=32), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("pace", sa.String(length=32), nullable=False),
        sa.Column("loop", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("upload_sha256", sa.String(length=64)),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text()),
        sa.Column("pipeline", sa.Text(), nullable=False),
        sa.Column("device_requested", sa.String(length=32), nullable=False),
        sa.Column("strict_device", sa.Boolean(), nullable=False),
        sa.Column("frames_total", sa.BigInteger()),
        sa.Column("frames_done", sa.BigInteger(), nullable=False),
        sa.Column("progress_told", sa.Integer(), nullable=False),
        sa.Column("versions", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("error", sa.Text()),
        sa.Column("runner", sa.Text()),
        sa.Column("idempotency_key", sa.Text()),
        sa.Column("fingerprint", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_jobs_idempotency_key")),
    )
    op.create_index(op.f("ix_jobs_created_at_id"), "jobs", ["created_at", "id"])
    op.create_index(op.f("ix_jobs_status_priority_created_at"), "jobs", ["status", "priority", "created_at"])
    op.create_index(op.f("ix_jobs_upload_sha256"), "jobs", ["upload_sha256"])


def _create_breakdowns() -> None:
    op.create_table(
        "breakdowns",
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("plugin", sa.Text()),
        sa.Column("version", sa.Text()),
        sa.Column("frames", sa.BigInteger(), nullable=False),
        sa.Column("soft_failures", sa.BigInteger(), nullable=False),
        sa.Column("timing", sa.Text(), nullable=False),
        sa.Column("budget_ms", sa.Float()),
        sa.Column("over_budget", sa.BigInteger(), nullable=False),
        sa.Column("health", sa.String(length=32)),
        sa.Column("health_reason", sa.Text(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("summary", sa.Text()),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_breakdowns_job_id_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "stage", name=op.f("pk_breakdowns")),
    )
    op.create_index(op.f("ix_breakdowns_plugin"), "breakdowns", ["plugin"])


def _create_decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("fallback", sa.Boolean(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_decisions_job_id_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    op.create_index(op.f("ix_decisions_job_id_stage"), "decisions", ["job_id", "stage"])


def _create_facts() -> None:
    op.create_table(
        "facts",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("job_id", sa.String(length=64)),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_facts_job_id_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_facts")),
    )
    op.create_index(op.f("ix_facts_job_id_id"), "facts", ["job_id", "id"])


def _create_job_plugins() -> None:
    op.create_table(
        "job_plugins",
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("plugin", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_plugins_job_id_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "plugin", name=op.f("pk_job_plugins")),
    )
    op.create_index(op.f("ix_job_plugins_plugin"), "job_plugins", ["plugin"])


def _create_job_tags() -> None:
    op.create_table(
        "job_tags",
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_tags_job_id_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "tag", name=op.f("pk_job_tags")),
    )
    op.create_index(op.f("ix_job_tags_tag"), "job_tags", ["tag"])


def _create_pipelines() -> None:
    op.create_table(
        "pipelines",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("pipeline", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_pipelines")),
    )


def _create_segments() -> None:
    op.create_table(
        "segments",
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("segment_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("start_frame", sa.BigInteger(), nullable=False),
        sa.Column("end_frame", sa.BigInteger(), nullable=False),
        sa.Column("pass_number", sa.Integer(), nullable=False),
        sa.Column("planned", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("term", sa.Integer(), nullable=False),
        sa.Column("holder", sa.Text()),
        sa.Column("lease_until", sa.DateTime(timezone=True)),
        sa.Column("outputs_file", sa.Text()),
        sa.Column("frames", sa.Integer()),
        sa.Column("loop_ms", sa.Float()),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_segments_job_id_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "segment_index", name=op.f("pk_segments")),
    )
    still_open = sa.text("state <> 'committed'")
    columns = ["job_id", "segment_index"]
    op.create_index(op.f("ix_segments_open"), "segments", columns, sqlite_where=still_open, postgresql_where=still_open)


def _create_warnings() -> None:
    op.create_table(
        "warnings",
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.BigInteger(), nullable=False),
        sa.Column("first_frame_index", sa.BigInteger()),
        sa.Column("last_frame_index", sa.BigInteger()),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detail", sa.Text()),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_warnings_job_id_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "code", "stage", name=op.f("pk_warnings")),
    )


def _create_fact_counter() -> None:
    counter = op.create_table(
        "fact_counter",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("head", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fact_counter")),
    )
    op.bulk_insert(counter, [{"id": 1, "head": 0}])
