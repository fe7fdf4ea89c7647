"""The tables, and how domain values stand in their columns."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from app.domain.device import DeviceDecision
from app.domain.health import Health
from app.domain.job import JobStatus, Pace, SegmentState, Wanted
from app.domain.media import PlannedSegment, SourcePlan, SourceRef
from app.domain.pipeline import Pipeline
from app.domain.timing import Histogram

metadata: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Moment(TypeDecorator[datetime]):
    """An aware datetime, kept in UTC (SQLite keeps no zone)."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone, expected an aware datetime")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Word(TypeDecorator[StrEnum]):
    """A member of a StrEnum, kept as its text."""

    impl = sa.String(32)
    cache_ok = True

    def __init__(self, kind: type[StrEnum]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:
        return None if value is None else self.kind(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        return None if value is None else self.kind(value)


class Packed(TypeDecorator[Any]):
    """A domain value, kept as JSON text and read back as the same type."""

    impl = sa.Text()
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else msgspec.json.decode(value, type=self.kind)


def _job_id(*, primary_key: bool = False, nullable: bool = False) -> sa.Column[str]:
    rule = sa.ForeignKey("jobs.id", ondelete="CASCADE")
    return sa.Column("job_id", sa.String(64), rule, primary_key=primary_key, nullable=nullable)


jobs: Final = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("tags", Packed(tuple[str, ...]), nullable=False),
    sa.Column("status", Word(JobStatus), nullable=False),
    sa.Column("wanted", Word(Wanted), nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("pace", Word(Pace), nullable=False),
    sa.Column("loop", sa.Integer, nullable=False),
    sa.Column("source", Packed(SourceRef), nullable=False),
    sa.Column("upload_sha256", sa.String(64)),
    sa.Column("search", sa.Text, nullable=False),  # what `q` is looked for in, case folded
    sa.Column("plan", Packed(SourcePlan)),  # without its segments, which lists of jobs do not need
    sa.Column("pipeline", Packed(Pipeline), nullable=False),
    sa.Column("device_requested", sa.String(32), nullable=False),
    sa.Column("strict_device", sa.Boolean, nullable=False),
    sa.Column("frames_total", sa.BigInteger),
    sa.Column("frames_done", sa.BigInteger, nullable=False),
    sa.Column("progress_told", sa.Integer, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("started_at", Moment),
    sa.Column("finished_at", Moment),
    sa.Column("error", sa.Text),
    sa.Column("runner", sa.Text),
    sa.Column("idempotency_key", sa.Text, unique=True),
    sa.Column("fingerprint", sa.Text),
    sa.Index(None, "created_at", "id"),
    sa.Index(None, "status", "priority", "created_at"),
    sa.Index(None, "upload_sha256"),
)

job_plugins: Final = sa.Table(
    "job_plugins",
    metadata,
    _job_id(primary_key=True),
    sa.Column("plugin", sa.Text, primary_key=True),
    sa.Index(None, "plugin"),
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
    sa.Column("holder", sa.Text),
    sa.Column("lease_until", Moment),
    sa.Column("outputs_file", sa.Text),
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
    sa.Column("stage", sa.Text, primary_key=True),
    sa.Column("plugin", sa.Text),
    sa.Column("version", sa.Text),
    sa.Column("frames", sa.BigInteger, nullable=False),
    sa.Column("soft_failures", sa.BigInteger, nullable=False),
    sa.Column("timing", Packed(Histogram), nullable=False),
    sa.Column("budget_ms", sa.Float),
    sa.Column("over_budget", sa.BigInteger, nullable=False),
    sa.Column("health", Word(Health)),  # empty until it was judged for the first time
    sa.Column("health_reason", sa.Text, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("summary", Packed(dict[str, Any])),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Index(None, "plugin"),
)

decisions: Final = sa.Table(
    "decisions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _job_id(),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("worker", sa.Text, nullable=False),
    sa.Column("decision", Packed(DeviceDecision), nullable=False),
    sa.Column("decided_at", Moment, nullable=False),
    sa.Index(None, "job_id", "stage"),
)

warnings: Final = sa.Table(
    "warnings",
    metadata,
    _job_id(primary_key=True),
    sa.Column("code", sa.String(64), primary_key=True),
    sa.Column("stage", sa.Text, primary_key=True),  # empty text: about no stage
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("told", sa.BigInteger, nullable=False),  # the total that the last fact told
    sa.Column("first_frame_index", sa.BigInteger),
    sa.Column("last_frame_index", sa.BigInteger),
    sa.Column("first_at", Moment, nullable=False),
    sa.Column("last_at", Moment, nullable=False),
    sa.Column("detail", sa.Text),
)

facts: Final = sa.Table(
    "facts",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    _job_id(nullable=True),
    sa.Column("type", sa.String(32), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
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
