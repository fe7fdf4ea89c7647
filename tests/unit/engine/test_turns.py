"""Whose turn it is: priority, fair sharing, and how the cores are shared."""

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.job import Job, JobStatus, Pace, Segment, Wanted
from app.domain.media import DecodePlan, MediaInfo, PlannedSegment, SourceKind, SourcePlan, SourceRef
from app.domain.pipeline import Pipeline, Stage
from app.engine import turns
from app.engine.job_run import Flight, JobRun
from app.engine.messages import StageTally
from app.engine.tasks import StageTask

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def run(*, priority: int = 0, minute: int = 0, left: int = 100, stateful: bool = False, took: float | None = None) -> JobRun:
    stages = Pipeline((Stage("hog", "hog"),))
    plan = SourcePlan(MediaInfo(64, 48, 6400, 256.0, 25.0, "mp4", "h264"), DecodePlan(), ())
    job = Job(
        f"job {minute}", "", (), JobStatus.RUNNING, Wanted.RUN, priority, Pace.MAX, 1, SourceRef(SourceKind.VIDEO, "a", "/a"),
        plan, stages, "auto", False, 6400, 0, NOON + timedelta(minutes=minute),
    )  # fmt: skip
    task = StageTask(stages.stages[0], "1.0.0", "", "", "detections", "auto", False, 50, stateful)
    made = JobRun(job, (task,), "")
    made.left, made.segment_s = left, took
    return made


def fly(made: JobRun, *workers: int) -> None:
    for worker in workers:
        number = len(made.flights)
        made.flights[number] = Flight(Segment("job", number, number, number + 1, 0, PlannedSegment(0, 1)), worker, 0.0)


def test_priority_goes_first_then_who_has_least_in_flight_then_age() -> None:
    old, young, urgent, busy = run(minute=0), run(minute=1), run(minute=2, priority=5), run(minute=-1)
    fly(busy, 1, 2)
    fly(urgent, 1)
    assert sorted([busy, young, urgent, old], key=turns.place_in_line) == [urgent, old, young, busy]


def test_a_worker_is_given_short_segments_ahead_unless_somebody_waits() -> None:
    quick = run(took=0.1)
    fly(quick, 1, 2)
    assert turns.worker_for_next(quick, {1: 1, 2: 1}, 0, ahead=True) == 1
    assert turns.worker_for_next(quick, {1: 1, 2: 1}, 0, ahead=False) is None
    assert turns.worker_for_next(quick, {1: 1, 2: 0}, 0, ahead=False) == 2
    slow = run(took=30)
    assert turns.worker_for_next(slow, {1: 1, 2: 1}, 0, ahead=True) is None


def test_short_segments_are_given_several_at_once_to_who_can_do_them_fewer_towards_the_end() -> None:
    quick, slow, new = run(took=0.03125), run(took=1.5), run()
    for made in (quick, slow, new):
        made.prepared_on = {1}
    assert [turns.stretch(made, 1, 2, ahead=True) for made in (quick, slow, new)] == [16, 1, 1]
    assert turns.stretch(quick, 2, 2, ahead=True) == 1  # nobody knows whether it can
    assert turns.stretch(quick, 1, 2, ahead=False) == 8  # another job waits
    quick.left = 12
    assert turns.stretch(quick, 1, 2, ahead=True) == 3
    quick.checkup.take_in([StageTally("hog", 70, 30, 0, {}, 100, 1, 1)], {})
    assert turns.stretch(quick, 1, 2, ahead=True) == 1


@pytest.mark.parametrize(("failures", "given"), [(26, None), (24, 2)])
def test_while_a_stage_may_be_disabled_each_segment_is_committed_before_more_is_given(failures: int, given: int | None) -> None:
    risky = run(took=0.1)
    fly(risky, 1)
    risky.checkup.take_in([StageTally("hog", 100 - failures, failures, 0, {}, 100, 1, 1)], {})
    assert turns.worker_for_next(risky, {1: 1, 2: 0}, 0, ahead=True) == 2
    risky.flights[0].landed = True
    assert turns.worker_for_next(risky, {1: 1, 2: 0}, 0, ahead=True) == given
    risky.disabled.add("hog")
    assert turns.worker_for_next(risky, {1: 1, 2: 0}, 0, ahead=True) == 2


def test_a_worker_is_given_more_before_it_has_done_all() -> None:
    quick = run(took=0.03125)
    fly(quick, *[1] * 16)
    assert turns.worker_for_next(quick, {1: 9}, 0, ahead=True) is None
    assert turns.worker_for_next(quick, {1: 8}, 0, ahead=True) == 1


def test_a_job_waits_as_long_as_it_has_segments_that_nobody_holds() -> None:
    assert turns.waits(run(left=1), 0)
    assert not turns.waits(run(left=0), 0)
    last = run(left=2)
    fly(last, 1, 2)
    assert not turns.waits(last, 0)
    in_order = run(stateful=True)
    assert turns.waits(in_order, 0)
    fly(in_order, 1)
    assert not turns.waits(in_order, 0)


@pytest.mark.parametrize(
    ("runs", "threads"),
    [
        ([run()], 2),
        ([run(left=1)], 8),
        ([run(left=3)], 2),
        ([run(stateful=True)], 8),
        ([run(stateful=True), run(stateful=True)], 4),
        ([run(stateful=True), run(left=2)], 2),
        ([run(stateful=True), run()], 2),
        ([], 8),
    ],
)
def test_the_cores_are_shared_among_the_workers_that_will_be_busy(runs: list[JobRun], threads: int) -> None:
    assert turns.threads(runs, slots=4, cores=8) == threads


def test_there_is_always_one_thread() -> None:
    assert turns.threads([run()], slots=8, cores=2) == 1
