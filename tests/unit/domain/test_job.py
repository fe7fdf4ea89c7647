"""Job status and its allowed moves, and the progress a person sees."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.domain.job import ENDED, MOVES, SUCCEEDED, Job, JobStatus, Pace, Wanted
from app.domain.media import SourceKind, SourceRef
from app.domain.pipeline import Pipeline, Stage

JOB = Job(
    id="j", name="n", tags=(), status=JobStatus.RUNNING, wanted=Wanted.RUN, priority=0, pace=Pace.MAX, loop=1,
    source=SourceRef(SourceKind.VIDEO, "clip.mp4", "clip.mp4"), plan=None, pipeline=Pipeline((Stage("a", "x"),)),
    device_requested="auto", strict_device=False, frames_total=795, frames_done=0, created_at=datetime(2026, 1, 1, tzinfo=UTC),
)  # fmt: skip


def reachable(start: JobStatus) -> set[JobStatus]:
    seen, waiting = set(), [start]
    while waiting:
        for following in MOVES[waiting.pop()] - seen:
            seen.add(following)
            waiting.append(following)
    return seen


def test_every_status_has_its_moves_and_none_moves_to_itself() -> None:
    assert set(MOVES) == set(JobStatus)
    assert all(status not in moves for status, moves in MOVES.items())


def test_every_status_can_be_reached_from_the_queue() -> None:
    assert reachable(JobStatus.QUEUED) == set(JobStatus)


def test_success_is_final_and_what_failed_may_be_tried_again() -> None:
    assert all(MOVES[status] == frozenset() for status in SUCCEEDED)
    assert all(MOVES[status] == {JobStatus.QUEUED} for status in ENDED - SUCCEEDED)


def test_every_job_that_has_not_ended_can_be_cancelled() -> None:
    assert all(JobStatus.CANCELLED in MOVES[status] for status in JobStatus if not status.ended)


def test_only_finalizing_leads_to_success() -> None:
    assert {status for status, moves in MOVES.items() if moves & SUCCEEDED} == {JobStatus.FINALIZING}


@pytest.mark.parametrize(
    ("status", "done", "total", "progress"),
    [
        (JobStatus.QUEUED, 0, 795, 0), (JobStatus.RUNNING, 400, 795, 50), (JobStatus.RUNNING, 795, 795, 99),
        (JobStatus.FINALIZING, 795, 795, 99), (JobStatus.COMPLETED, 795, 795, 100),
        (JobStatus.COMPLETED_WITH_WARNINGS, 9, None, 100),
        (JobStatus.FAILED, 400, 795, 50), (JobStatus.FAILED, 795, 795, 99), (JobStatus.CANCELLED, 400, 795, 50),
        (JobStatus.RUNNING, 12, None, None), (JobStatus.QUEUED, 0, 0, 0),
    ],
)  # fmt: skip
def test_progress_is_whole_per_cent_and_100_only_on_success(
    status: JobStatus, done: int, total: int | None, progress: int | None
) -> None:
    assert replace(JOB, status=status, frames_done=done, frames_total=total).progress == progress
