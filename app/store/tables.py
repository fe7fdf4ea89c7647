"""The tables that all rows stand in."""

from typing import Any, Final

import sqlalchemy as sa

from app.domain.device import DeviceDecision
from app.domain.health import Health
from app.domain.job import JobStatus, Pace, SegmentState, Wanted
from app.domain.media import PlannedSegment, SourcePlan, SourceRef
from app.domain.pipeline import Pipeline
from app.domain.timing import Histogram
from app.store.columns import Moment, Name, Packed, Word, Writing

metadata: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _job_id(*, primary_key: bool = False, nullable: bool = False) -> sa.Column[str]:
    rule = sa.ForeignKey("jobs.id", ondelete="CASCADE")
    return sa.Column("job_id", Name, rule, primary_key=primary_key, nullable=nullable)


jobs: Final = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", Name, primary_key=True),
    sa.Column("name", Writing, nullable=False),
    sa.Column("tags", Packed(tuple[str, ...]), nullable=False),
    sa.Column("status", Word(JobStatus), nullable=False),
    sa.Column("wanted", Word(Wanted), nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("pace", Word(Pace), nullable=False),
    sa.Column("loop", sa.Integer, nullable=False),
    sa.Column("source", Packed(SourceRef), nullable=False),
    sa.Column("upload_sha256", Name),
    sa.Column("search", Writing, nullable=False),  # what `q` is looked for in, case folded
    sa.Column("plan", Packed(SourcePlan)),  # without its segments, which lists of jobs do not need
    sa.Column("pipeline", Packed(Pipeline), nullable=False),
    sa.Column("device_requested", sa.String(32), nullable=False),
    sa.Column("strict_device", sa.Boolean, nullable=False),
    sa.Column("frames_total", sa.BigInteger),
    sa.Column("frames_done", sa.BigInteger, nullable=False),
    sa.Column("progress_told", sa.Integer, nullable=False),
    sa.Column("versions", Packed(dict[str, str]), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("moved_at", Moment, nullable=False),  # last status, wish, committed segment or renewed lease
    sa.Column("started_at", Moment),
    sa.Column("finished_at", Moment),
    sa.Column("error", Writing),
    sa.Column("runner", Writing),
    sa.Column("idempotency_key", Writing, unique=True),
    sa.Column("fingerprint", Writing),
    sa.Index(None, "created_at", "id"),
    sa.Index(None, "status", "priority", "created_at"),
    sa.Index(None, "upload_sha256"),
)

job_plugins: Final = sa.Table(
    "job_plugins",
    metadata,
    _job_id(primary_key=True),
    sa.Column("plugin", Writing, primary_key=True),
    sa.Index(None, "plugin"),
)

job_tags: Final = sa.Table(
    "job_tags",
    metadata,
    _job_id(primary_key=True),
    sa.Column("tag", Writing, primary_key=True),
    sa.Index(None, "tag"),
)

segments: Final = sa.Table(
    "segments",
    metadata,
    _job_id(primary_key=True),
    sa.Column("segment_index", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("start_frame", sa.BigInteger, nullable=False),
    sa.Column("end_frame", sa.BigInteger, nullable=False),
    sa.Column("pass_number", sa.Integer, nullable=False),
    sa.Column("planned", Packed(PlannedSegment), nullable=False),
    sa.Column("state", Word(SegmentState), nullable=False),
    sa.Column("term", sa.Integer, nullable=False),
    sa.Column("holder", Writing),
    sa.Column("lease_until", Moment),
    sa.Column("outputs_file", Writing),
    sa.Column("outputs_start", sa.BigInteger),
    sa.Column("outputs_size", sa.BigInteger),
    sa.Column("frames", sa.Integer),
    sa.Column("loop_ms", sa.Float),
    sa.Index(
        "ix_segments_open",
        "job_id",
        "segment_index",
        sqlite_where=sa.text("state <> 'committed'"),
        postgresql_where=sa.text("state <> 'committed'"),
    ),
)

breakdowns: Final = sa.Table(
    "breakdowns",
    metadata,
    _job_id(primary_key=True),
    sa.Column("stage", Writing, primary_key=True),
    sa.Column("plugin", Writing),
    sa.Column("version", Writing),
    sa.Column("frames", sa.BigInteger, nullable=False),
    sa.Column("soft_failures", sa.BigInteger, nullable=False),
    sa.Column("timing", Packed(Histogram), nullable=False),
    sa.Column("budget_ms", sa.Float),
    sa.Column("over_budget", sa.BigInteger, nullable=False),
    sa.Column("health", Word(Health)),  # empty until it was judged for the first time
    sa.Column("health_reason", Writing, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("summary", Packed(dict[str, Any])),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Index(None, "plugin"),
)

pipelines: Final = sa.Table(
    "pipelines",
    metadata,
    sa.Column("name", Name, primary_key=True),
    sa.Column("pipeline", Packed(Pipeline), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
)

decisions: Final = sa.Table(
    "decisions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _job_id(),
    sa.Column("stage", Writing, nullable=False),
    sa.Column("worker", Writing, nullable=False),
    sa.Column("decision", Packed(DeviceDecision), nullable=False),
    sa.Column("fallback", sa.Boolean, nullable=False),  # as the decision says, to look for
    sa.Column("decided_at", Moment, nullable=False),
    sa.Index(None, "job_id", "stage"),
)

warnings: Final = sa.Table(
    "warnings",
    metadata,
    _job_id(primary_key=True),
    sa.Column("code", Name, primary_key=True),
    sa.Column("stage", Writing, primary_key=True),  # empty text: about no stage
    sa.Column("message", Writing, nullable=False),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("told", sa.BigInteger, nullable=False),  # the total that the last fact told
    sa.Column("first_frame_index", sa.BigInteger),
    sa.Column("last_frame_index", sa.BigInteger),
    sa.Column("first_at", Moment, nullable=False),
    sa.Column("last_at", Moment, nullable=False),
    sa.Column("detail", Writing),
)

facts: Final = sa.Table(
    "facts",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    _job_id(nullable=True),
    sa.Column("type", sa.String(32), nullable=False),
    sa.Column("body", Writing, nullable=False),
    sa.Index(None, "job_id", "id"),
)

# One row: the number of the newest fact. Counting here, in the writer's transaction, numbers facts in the order of their
# commits, never twice and without gaps, on every database; a sequence would show a number before its fact can be read.
fact_counter: Final = sa.Table(
    "fact_counter",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("head", sa.BigInteger, nullable=False),
)
