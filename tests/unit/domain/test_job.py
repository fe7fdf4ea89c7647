"""Job status and its allowed moves, and the progress a person sees."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.domain.job import (
    ENDED,
    MOVES,
    SUCCEEDED,
    Job,
    JobStatus,
    JobWarning,
    Pace,
    RowsPlace,
    Segment,
    StageBreakdown,
    Wanted,
    WarningCode,
)
from app.domain.media import DecodePlan, MediaInfo, PlannedSegment, SourceKind, SourcePlan, SourceRef
from app.domain.pipeline import Pipeline, Stage

JOB = Job(
    id="j", name="n", tags=(), status=JobStatus.RUNNING, wanted=Wanted.RUN, priority=0, pace=Pace.MAX, loop=1,
    source=SourceRef(SourceKind.VIDEO, "clip.mp4", "clip.mp4"), plan=None, pipeline=Pipeline((Stage("a", "x"),)),
    device_requested="auto", strict_device=False, frames_total=795, frames_done=0, created_at=datetime(2026, 1, 1, tzinfo=UTC),
)  # fmt: skip
SEGMENT = Segment("j", 0, 0, 4, 0, PlannedSegment(0, 4, 0.0))
WARNING = JobWarning(WarningCode.SKIPPED, "a", "no", 1, 0, 0, JOB.created_at, JOB.created_at)


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


def test_a_job_ends_well_badly_or_by_somebody_s_wish() -> None:
    ended = {status: status.succeeded for status in JobStatus if status.ended is True}
    assert ended == {
        JobStatus.COMPLETED: True, JobStatus.COMPLETED_WITH_WARNINGS: True, JobStatus.FAILED: False, JobStatus.CANCELLED: False,
    }  # fmt: skip


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
        (JobStatus.RUNNING, 797, 1000, 79),
        (JobStatus.FAILED, 400, 795, 50), (JobStatus.FAILED, 795, 795, 99), (JobStatus.CANCELLED, 400, 795, 50),
        (JobStatus.RUNNING, 12, None, None), (JobStatus.QUEUED, 0, 0, 0),
    ],
)  # fmt: skip
def test_progress_is_whole_per_cent_and_100_only_on_success(
    status: JobStatus, done: int, total: int | None, progress: int | None
) -> None:
    assert replace(JOB, status=status, frames_done=done, frames_total=total).progress == progress


@pytest.mark.parametrize(
    ("told", "done", "progress"), [(0, 400, 50), (49, 400, 50), (60, 400, 60), (99, 400, 99), (100, 400, 99)]
)
def test_progress_never_falls_behind_what_was_told(told: int, done: int, progress: int) -> None:
    assert replace(JOB, progress_told=told, frames_done=done).progress == progress


def test_what_is_new_has_counted_nothing() -> None:
    stage = StageBreakdown("a")
    assert (stage.frames, stage.soft_failures, stage.over_budget, stage.disabled) == (0, 0, 0, False)
    assert (SEGMENT.term, JOB.progress_told) == (0, 0)


def test_a_job_knows_its_media_once_it_is_planned() -> None:
    media = MediaInfo(width=64, height=48, frames=4, duration_s=0.16, fps=25.0, container="mp4", codec="h264")
    assert JOB.media is None
    assert replace(JOB, plan=SourcePlan(media, DecodePlan(), ())).media == media


@pytest.mark.parametrize(("made", "field"), [(JOB, "frames_done"), (SEGMENT, "term"), (WARNING, "count")])
def test_what_is_stored_is_changed_in_the_store_alone(made: object, field: str) -> None:
    with pytest.raises(AttributeError):
        setattr(made, field, 7)


def test_a_breakdown_has_no_figure_by_another_name() -> None:
    with pytest.raises(AttributeError):
        StageBreakdown("a").frame = 7  # type: ignore[attr-defined]  # it is called frames


def test_rows_lie_in_the_whole_of_a_file_where_nothing_else_is_said() -> None:
    assert RowsPlace("rows.ndjson") == ("rows.ndjson", 0, None)
