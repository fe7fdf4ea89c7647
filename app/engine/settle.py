"""What a task's outcome means in the database: one transaction for a segment, one for a job's end."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy.engine import Connection

from app.domain.health import Health, judge
from app.domain.job import Job, JobStatus, Segment, StageBreakdown, WarningCode
from app.domain.timing import Histogram
from app.engine.messages import FinalizeDone, SegmentDone, StageTally, StageTask
from app.store import breakdowns, jobs, segments, warnings

_FIRST_RATED_FRAME: Final = 20
Change = Callable[[Connection], Job]


@dataclass(frozen=True, slots=True)
class Settled:
    """A committed segment's consequences: the job as it now stands, and its breakdown."""

    job: Job
    rows: tuple[StageBreakdown, ...]
    open_segments: int


def commit_segment(
    tx: Connection, stages: Sequence[StageTask], segment: Segment, done: SegmentDone, outputs_file: str
) -> Settled | None:
    """Commit what a segment produced, with its timings and warnings; None: the claim was fenced and nothing counts."""
    job_id = segment.job_id
    if not segments.commit(tx, segment, outputs_file=outputs_file, frames=done.frames, loop_ms=done.loop_us / 1000):
        return None
    by_id = {task.stage.id: task for task in stages}
    breakdowns.merge(
        tx, job_id, [row_of(tally, by_id.get(tally.row)) for tally in done.tallies if tally.count or tally.row in by_id]
    )
    for failure in done.failures:
        warnings.warn(
            tx, job_id, code=failure.code, stage=failure.stage, message=failure.message, count=failure.count,
            first_frame_index=failure.first_frame_index, last_frame_index=failure.last_frame_index, detail=failure.detail,
        )  # fmt: skip
    for loss in done.losses:
        warnings.warn(
            tx, job_id, code=loss.code, stage=None, message=loss.message, count=loss.count,
            first_frame_index=loss.first_index, last_frame_index=loss.first_index + loss.count - 1, detail=None,
        )  # fmt: skip
    for row in breakdowns.of_job(tx, job_id):
        if row.stage in by_id:
            _judge(tx, job_id, row, by_id[row.stage], disabled=row.disabled or row.stage in done.disabled)
    return Settled(jobs.get(tx, job_id), tuple(breakdowns.of_job(tx, job_id)), segments.count_open(tx, job_id))


def disable_stage(tx: Connection, job_id: str, task: StageTask, *, code: str, reason: str, detail: str | None) -> None:
    """Take a stage out of a job for good, and say why."""
    breakdowns.merge(tx, job_id, [row_of(StageTally(task.stage.id, 0, 0, 0, {}, 0, 0, 0), task)])
    warnings.warn(
        tx, job_id, code=code, stage=task.stage.id, message=reason, count=1, first_frame_index=None,
        last_frame_index=None, detail=detail,
    )  # fmt: skip
    breakdowns.set_health(tx, job_id, task.stage.id, task.stage.plugin, Health.FAILING, reason, disabled=True)


def finish(tx: Connection, job_id: str, done: Iterable[tuple[StageTask, FinalizeDone]]) -> Job:
    """Store every stage's summary and end the job, with or without warnings."""
    for task, outcome in done:
        timing = Histogram()
        timing.add(outcome.took_us)
        breakdowns.merge(tx, job_id, [StageBreakdown("finalize", timing=timing, frames=1)])
        summary: dict[str, Any] | None = None if outcome.summary is None else msgspec.json.decode(outcome.summary)
        breakdowns.set_summary(tx, job_id, task.stage.id, summary)
        if outcome.error is not None:
            warnings.warn(
                tx, job_id, code=WarningCode.FINALIZE_FAILED, stage=task.stage.id, message=outcome.error, count=1,
                first_frame_index=None, last_frame_index=None, detail=outcome.detail,
            )  # fmt: skip
    warnings.tell_final(tx, job_id)
    warned = bool(warnings.of_job(tx, job_id))
    return jobs.move(tx, job_id, JobStatus.COMPLETED_WITH_WARNINGS if warned else JobStatus.COMPLETED)


def fail(tx: Connection, job_id: str, error: str) -> Job:
    """End a job that cannot go on."""
    segments.release_job(tx, job_id)
    warnings.tell_final(tx, job_id)
    return jobs.move(tx, job_id, JobStatus.FAILED, reason=error, error=error)


def cancel(tx: Connection, job_id: str) -> Job:
    """End a job because a person wants it; an ended one stays as it is."""
    job = jobs.get(tx, job_id)
    if job.status.ended:
        return job
    segments.release_job(tx, job_id)
    warnings.tell_final(tx, job_id)
    return jobs.move(tx, job_id, JobStatus.CANCELLED)


def row_of(tally: StageTally, task: StageTask | None) -> StageBreakdown:
    """A tally as a row of the breakdown."""
    return StageBreakdown(
        tally.row,
        plugin=task.stage.plugin if task else None,
        version=task.version if task else None,
        frames=tally.frames,
        soft_failures=tally.soft_failures,
        timing=Histogram(dict(tally.buckets), tally.count, tally.total_us, tally.max_us),
        budget_ms=task.budget_ms if task else None,
        over_budget=tally.over_budget,
    )


def _judge(tx: Connection, job_id: str, row: StageBreakdown, task: StageTask, *, disabled: bool) -> None:
    tried = row.frames + row.soft_failures
    limit = task.stage.policy.max_error_rate
    too_many = tried >= _FIRST_RATED_FRAME and row.soft_failures / tried > limit
    disabled = disabled or too_many
    verdict = judge(
        frames=row.frames, soft_failures=row.soft_failures, p95_ms=row.timing.percentile_ms(95), budget_ms=row.budget_ms,
        disabled=disabled,
    )  # fmt: skip
    if disabled and not row.disabled:
        warnings.warn(
            tx, job_id, code=WarningCode.STAGE_DISABLED, stage=row.stage, message=verdict.reason, count=1,
            first_frame_index=None, last_frame_index=None, detail=None,
        )  # fmt: skip
    breakdowns.set_health(tx, job_id, row.stage, task.stage.plugin, verdict.health, verdict.reason, disabled=disabled)
