"""What a task's outcome means in the database: one transaction for a segment, one for a job's end."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy.engine import Connection

from app.domain.health import Health, HealthVerdict, disabled
from app.domain.job import Job, JobStatus, Segment, SegmentState, StageBreakdown, WarningCode
from app.domain.timing import Histogram
from app.engine import incidents
from app.engine.incidents import Incident
from app.engine.messages import FinalizeDone, SegmentDone, StageTally
from app.engine.tasks import StageTask
from app.store import breakdowns, jobs, segments, stretches, warnings

_FIRST_RATED_FRAME: Final = 20
_BEGAN_ANEW: Final = (
    "After an interruption the stage began anew: what an address gave before cannot be shown to it again, and what it gives "
    "from there on may differ from an undisturbed run."
)
Change = Callable[[Connection], Job]


class Landed(NamedTuple):
    """A segment a worker is done with: what came of it, and what happened to workers on the way.

    `to` is where it goes from here: committed, or awaiting its followers.
    """

    segment: Segment
    done: SegmentDone
    to: SegmentState = SegmentState.COMMITTED
    lost: Sequence[Incident] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """What follows from committed segments: which ones count, the job, the changed rows of its breakdown, and what is left."""

    counted: tuple[Landed, ...]
    job: Job
    rows: tuple[StageBreakdown, ...]
    any_open: bool
    left: int


def commit_segments(tx: Connection, job: Job, stages: Sequence[StageTask], landed: Sequence[Landed]) -> Settled | None:
    """Commit what segments of a job produced, with their timings and warnings, those that were not fenced; None: all were."""
    finished = [
        stretches.Finished(one.segment, one.done.rows, one.done.frames, one.done.loop_us / 1000, one.to) for one in landed
    ]
    held = stretches.commit(tx, job.id, finished)
    counted = tuple(one for one in landed if (one.segment.index, one.segment.term) in held)
    if not counted:
        return None
    whole = [one.segment for one in counted if one.to is SegmentState.COMMITTED]
    job = jobs.advance(tx, job, sum(segment.end - segment.start for segment in whole))
    by_id = {task.stage.id: task for task in stages}
    merged = breakdowns.merge(tx, job.id, _sum(counted, by_id))
    for one in counted:
        _warn(tx, job.id, one)
    asked = {stage for one in counted for stage in one.done.disabled}
    failing = [row for row in merged if row.stage in by_id and not row.disabled]
    out = [_disable_failing(tx, job.id, row, by_id[row.stage], asked=row.stage in asked) for row in failing]
    if any(out):
        _disable_dependents(tx, job.id, stages)
    rows = tuple(breakdowns.of_job(tx, job.id) if any(out) else merged)
    left = segments.count_left(tx, job.id)
    return Settled(counted, job, rows, left > 0 or segments.any_open(tx, job.id), left)


def _sum(counted: Iterable[Landed], by_id: Mapping[str, StageTask]) -> list[StageBreakdown]:
    """Add up what segments bring to each row of the breakdown."""
    rows: dict[str, StageBreakdown] = {}
    for tally in (tally for one in counted for tally in one.done.tallies if tally.count or tally.row in by_id):
        row = row_of(tally, by_id.get(tally.row))
        known = rows.setdefault(tally.row, row)
        if known is not row:
            known.frames += row.frames
            known.soft_failures += row.soft_failures
            known.over_budget += row.over_budget
            known.timing.merge(row.timing)
    return list(rows.values())


def _warn(tx: Connection, job_id: str, landed: Landed) -> None:
    for failure in landed.done.failures:
        warnings.warn(
            tx, job_id, code=failure.code, stage=failure.stage, message=failure.message, count=failure.count,
            first_frame_index=failure.first_frame_index, last_frame_index=failure.last_frame_index, detail=failure.detail,
        )  # fmt: skip
    for loss in landed.done.losses:
        warnings.warn(
            tx, job_id, code=loss.code, stage=None, message=loss.message, count=loss.count,
            first_frame_index=loss.first_index, last_frame_index=loss.last_index, detail=None,
        )  # fmt: skip
    incidents.tell(tx, job_id, landed.lost)


def warn_of_approximate_resume(tx: Connection, job_id: str, stages: Iterable[StageTask], start: int, since: int) -> None:
    """Say that stateful stages went on at frame `start` after seeing the frames from `since` on again, and not all before."""
    for task in stages:
        if task.stateful:
            message = (
                _BEGAN_ANEW
                if since >= start
                else (
                    f"After an interruption the stage saw only frames {since} to {start - 1} again (warmup_frames = "
                    f"{task.warmup_frames}); what it gives from there on may differ from an undisturbed run."
                )
            )
            warnings.warn(
                tx, job_id, code=WarningCode.APPROXIMATE_RESUME, stage=task.stage.id, message=message, count=1,
                first_frame_index=start, last_frame_index=start, detail=None,
            )  # fmt: skip


def disable_stage(
    tx: Connection, job_id: str, stages: Sequence[StageTask], stage: str, *, code: str, reason: str, detail: str | None = None
) -> frozenset[str]:
    """Take a stage out of a job for good, those that need it with it, and say why; give the ids of all that are out now."""
    task = next(task for task in stages if task.stage.id == stage)
    breakdowns.merge(tx, job_id, [row_of(StageTally(stage, 0, 0, 0, {}, 0, 0, 0), task)])
    warnings.warn(
        tx, job_id, code=code, stage=stage, message=reason, count=1, first_frame_index=None,
        last_frame_index=None, detail=detail,
    )  # fmt: skip
    breakdowns.set_health(tx, job_id, stage, task.stage.plugin, Health.FAILING, reason, disabled=True)
    return _disable_dependents(tx, job_id, stages)


def _disable_dependents(tx: Connection, job_id: str, stages: Sequence[StageTask]) -> frozenset[str]:
    """Take out every stage that needs a disabled one; stages stand behind those they need, so one pass finds them all."""
    out = {row.stage for row in breakdowns.of_job(tx, job_id) if row.disabled}
    for stage in (task.stage for task in stages):
        need = next((need for need in stage.upstream if need in out), None)
        if need is not None and stage.id not in out:
            reason = f"Disabled, for it needs {need!r}, which is disabled."
            out |= disable_stage(tx, job_id, stages, stage.id, code=WarningCode.STAGE_DISABLED, reason=reason)
    return frozenset(out)


def finish(tx: Connection, job_id: str, done: Iterable[tuple[StageTask, FinalizeDone]], lost: Iterable[Incident] = ()) -> Job:
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
    incidents.tell(tx, job_id, lost)
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


def note_health(
    tx: Connection, job_id: str, stages: Sequence[StageTask], verdicts: Sequence[tuple[str, HealthVerdict]]
) -> None:
    """Store what is newly said of stages' health, and tell it where it changed; a disabled stage stays failing."""
    out = {row.stage for row in breakdowns.of_job(tx, job_id) if row.disabled}
    plugins = {task.stage.id: task.stage.plugin for task in stages}
    for stage, verdict in verdicts:
        if stage not in out:
            breakdowns.set_health(tx, job_id, stage, plugins[stage], verdict.health, verdict.reason)


def _disable_failing(tx: Connection, job_id: str, row: StageBreakdown, task: StageTask, *, asked: bool) -> bool:
    """Take a stage out that failed more often than it may, or whose policy says so; say whether it was taken out."""
    tried = row.frames + row.soft_failures
    limit = task.stage.policy.max_error_rate
    if asked or (tried >= _FIRST_RATED_FRAME and row.soft_failures / tried > limit):
        verdict = disabled(row.soft_failures, tried)
        warnings.warn(
            tx, job_id, code=WarningCode.STAGE_DISABLED, stage=row.stage, message=verdict.reason, count=1,
            first_frame_index=None, last_frame_index=None, detail=None,
        )  # fmt: skip
        breakdowns.set_health(tx, job_id, row.stage, task.stage.plugin, verdict.health, verdict.reason, disabled=True)
        return True
    return False
