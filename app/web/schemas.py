"""A job as the API, the pages and the command line show it: every field of the public surface, always present."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

from pydantic import Field
from sqlalchemy import Connection

from app.domain.device import AttemptOutcome, DeviceDecision, FallbackCode, Target
from app.domain.health import Health
from app.domain.job import Job, JobStatus, JobWarning, StageBreakdown
from app.store import breakdowns, jobs, warnings
from app.web.schemas_pipeline import Document, PipelineDocument, SourceDocument


class AttemptDocument(Document):
    """One target tried, and what came of it."""

    target: Target
    outcome: AttemptOutcome
    code: FallbackCode | None
    reason: str


class DecisionDocument(Document):
    """Where a stage ran and why: the request, each target tried in order, the one used (null: nothing could run)."""

    requested: str
    used: Target | None
    fallback: bool
    code: FallbackCode | None
    reason: str
    attempts: list[AttemptDocument]
    warmup_ms: float | None

    @classmethod
    def of(cls, decision: DeviceDecision) -> Self:
        """Describe a decision."""
        attempts = [
            AttemptDocument(target=a.target, outcome=a.outcome, code=a.code, reason=a.reason) for a in decision.attempts
        ]
        return cls(
            requested=decision.requested,
            used=decision.used,
            fallback=decision.fallback,
            code=decision.code,
            reason=decision.reason,
            attempts=attempts,
            warmup_ms=decision.warmup_ms,
        )


class BreakdownDocument(Document):
    """Where a job's time went for one stage, or for one of `decode prepare preview write finalize` (plugin null there)."""

    stage: str
    plugin: str | None
    version: str | None
    device: DecisionDocument | None
    frames: int
    soft_failures: int
    total_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    budget_ms: float | None
    over_budget: int
    health: Health
    health_reason: str
    summary: dict[str, Any] | None

    @classmethod
    def of(cls, row: StageBreakdown) -> Self:
        """Describe a breakdown row."""
        return cls(
            stage=row.stage,
            plugin=row.plugin,
            version=row.version,
            device=DecisionDocument.of(row.device) if row.device else None,
            frames=row.frames,
            soft_failures=row.soft_failures,
            total_ms=row.timing.total_ms,
            p50_ms=row.timing.percentile_ms(50),
            p95_ms=row.timing.percentile_ms(95),
            p99_ms=row.timing.percentile_ms(99),
            max_ms=row.timing.max_ms,
            budget_ms=row.budget_ms,
            over_budget=row.over_budget,
            health=row.health,
            health_reason=row.health_reason,
            summary=row.summary,
        )


class WarningDocument(Document):
    """Something a person should know, counted; `detail` keeps the first traceback."""

    code: str
    stage: str | None
    message: str
    count: int
    first_frame_index: int | None
    last_frame_index: int | None
    first_at: datetime
    last_at: datetime
    detail: str | None

    @classmethod
    def of(cls, warning: JobWarning) -> Self:
        """Describe a warning."""
        return cls(**{name: getattr(warning, name) for name in cls.model_fields})


class QueueDocument(Document):
    """Where a queued job stands: 1 is next."""

    position: int
    reason: str


class DeviceUse(Document):
    """What a job's stages really ran on, taken together."""

    device_used: str | None
    fallback: bool
    fallback_reasons: list[str]

    @classmethod
    def of(cls, decisions: Iterable[tuple[str, DeviceDecision]]) -> Self:
        """Sum up decisions: the common target, else `mixed`; None while there is none."""
        known = list(decisions)
        used = {decision.used for _, decision in known if decision.used}
        reasons = dict.fromkeys(f"{stage}: {decision.reason}" for stage, decision in known if decision.fallback)
        common = next(iter(used)).value if len(used) == 1 else "mixed" if used else None
        return cls(device_used=common, fallback=any(d.fallback for _, d in known), fallback_reasons=list(reasons))


class JobDocument(Document):
    """A job: what was asked for, how far it is, where its time went and what went wrong."""

    id: str
    name: str
    tags: list[str]
    status: JobStatus
    progress: int | None = Field(ge=0, le=100)
    frames_done: int
    frames_total: int | None
    source: SourceDocument
    pipeline: PipelineDocument
    device_requested: str
    device_used: str | None
    fallback: bool
    fallback_reasons: list[str]
    breakdown: list[BreakdownDocument]
    warnings: list[WarningDocument]
    queue: QueueDocument | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None


def job_document(tx: Connection, job: Job) -> JobDocument:
    """Describe a job as it stands in this transaction."""
    return JobDocument(
        id=job.id,
        name=job.name,
        tags=list(job.tags),
        status=job.status,
        progress=job.progress,
        frames_done=job.frames_done,
        frames_total=job.frames_total,
        source=SourceDocument.of(job),
        pipeline=PipelineDocument.of(job.pipeline),
        device_requested=job.device_requested,
        **DeviceUse.of(breakdowns.decisions(tx, job.id)).model_dump(),
        breakdown=[BreakdownDocument.of(row) for row in breakdowns.of_job(tx, job.id)],
        warnings=[WarningDocument.of(warning) for warning in warnings.of_job(tx, job.id)],
        queue=_queue(tx, job) if job.status is JobStatus.QUEUED else None,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        error=job.error,
    )


def _queue(tx: Connection, job: Job) -> QueueDocument:
    position, running = max(1, jobs.queue_position(tx, job.id)), jobs.running(tx, job.runner)
    if position > 1:
        ahead = "1 job is" if position == 2 else f"{position - 1} jobs are"
        rest = f", and {running} {'is' if running == 1 else 'are'} running" if running else ""
        return QueueDocument(position=position, reason=f"{ahead} ahead of it{rest}.")
    behind = f" behind {running} running {'job' if running == 1 else 'jobs'}" if running else ""
    return QueueDocument(position=1, reason=f"Next in line{behind}: it starts as soon as a worker is free.")
