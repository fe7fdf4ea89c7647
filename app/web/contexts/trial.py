"""A plugin tried on one picture, as its page shows it: the picture with what was found, the time it took, and where it ran."""

from dataclasses import dataclass
from typing import Final

from app.domain.job import Job, JobStatus, JobWarning, StageBreakdown
from app.web.contexts.found import FoundView
from app.web.contexts.job import StatusView, view_status
from app.web.contexts.overlay import OverlayView
from app.web.contexts.stage import DecisionView
from app.web.contexts.words import milliseconds, seconds

TAG: Final = "tried"  # by which the history finds these jobs


@dataclass(frozen=True, slots=True)
class TrialView:
    """The job of a trial; `working` says that it goes on, and then there is nothing to see yet."""

    job_id: str
    name: str
    working: bool
    status: StatusView
    overlay: OverlayView | None
    found: FoundView | None
    numbers: tuple[tuple[str, str], ...]
    decision: DecisionView | None
    problems: tuple[str, ...]


def view_trial(
    job: Job,
    row: StageBreakdown | None,
    *,
    overlay: OverlayView | None,
    found: FoundView | None,
    decision: DecisionView | None,
    warnings: tuple[JobWarning, ...],
) -> TrialView:
    """Give a trial from its job; `row` is that of the plugin's stage."""
    working = not job.status.ended
    return TrialView(
        job_id=job.id,
        name=job.source.name,
        working=working,
        status=view_status(job),
        overlay=None if working else overlay,
        found=found,
        numbers=() if working else _numbers(job, row),
        decision=decision,
        problems=tuple(warning.message for warning in warnings),
    )


def _numbers(job: Job, row: StageBreakdown | None) -> tuple[tuple[str, str], ...]:
    if row is None or not row.timing.count or job.status is JobStatus.CANCELLED:
        return ()
    numbers = [("The plugin took", milliseconds(row.timing.max_ms))]
    if row.budget_ms:
        numbers.append(("Its budget", milliseconds(row.budget_ms)))
    if job.started_at and job.finished_at:
        numbers.append(("The whole job", seconds((job.finished_at - job.started_at).total_seconds())))
    return tuple(numbers)
