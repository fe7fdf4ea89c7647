"""Jobs: what goes in comes out, moves keep to their table, what is deleted is gone."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, timedelta, timezone

import pytest

from app.domain.errors import IdempotencyConflict, UnknownJob, WrongState
from app.domain.insight import Status
from app.domain.job import MOVES, Job, JobStatus, Pace, Segment, Wanted
from app.domain.media import SourceKind, SourceRef
from app.domain.pipeline import Condition, FailurePolicy, OnError, Pipeline, Stage
from app.store import facts, jobs, listing, segments
from app.store.engine import Store, utc_now
from app.store.tables import metadata
from tests.unit.store.conftest import without_segments

WAYS = {  # moves that lead from the queue to each status
    JobStatus.QUEUED: (),
    JobStatus.RUNNING: (JobStatus.RUNNING,),
    JobStatus.PAUSED: (JobStatus.PAUSED,),
    JobStatus.FINALIZING: (JobStatus.FINALIZING,),
    JobStatus.COMPLETED: (JobStatus.FINALIZING, JobStatus.COMPLETED),
    JobStatus.COMPLETED_WITH_WARNINGS: (JobStatus.FINALIZING, JobStatus.COMPLETED_WITH_WARNINGS),
    JobStatus.FAILED: (JobStatus.FAILED,),
    JobStatus.CANCELLED: (JobStatus.CANCELLED,),
}


def statuses_told(store: Store, job_id: str = "job-a") -> list[tuple[JobStatus | None, JobStatus, str | None]]:
    with store.read() as tx:
        told = [fact for _, fact in facts.of_job(tx, job_id)]
    return [(fact.previous, fact.status, fact.reason) for fact in told if isinstance(fact, Status)]


def walk(store: Store, job_id: str, *ways: JobStatus) -> None:
    with store.begin() as tx:
        for status in ways:
            jobs.move(tx, job_id, status)


def test_every_field_of_a_job_comes_back_as_it_went_in(store: Store, add: Callable[..., Job]):
    stages = (
        Stage("hog", "people_hog", {"hit_threshold": 0.25, "labels": ["person"]}, every=2, device="cpu"),
        Stage(
            "count",
            "counter",
            {},
            needs=("hog",),
            when=Condition("hog", "person", 0.4),
            policy=FailurePolicy(OnError.FAIL_JOB, 0.1, 2.5),
        ),
    )
    job = add(
        name="Straße, 07:30",
        tags=("a", "ß"),
        status=JobStatus.QUEUED,
        wanted=Wanted.RUN,
        priority=-3,
        pace=Pace.REALTIME,
        loop=4,
        source=SourceRef(SourceKind.VIDEO, "a b.mp4", "/up/x", sha256="ab" * 32, size_bytes=123, upload=True),
        pipeline=Pipeline(stages),
        device_requested="cuda:1",
        strict_device=True,
        frames_total=3_000_000_000,
        frames_done=2,
        started_at=utc_now(),
        finished_at=utc_now(),
        error="it broke",
        runner="cli:77",
    )
    with store.read() as tx:
        read = jobs.get(tx, "job-a")
    assert read == without_segments(job)
    assert read.created_at.tzinfo is UTC


def test_a_job_whose_source_is_not_measured_has_no_plan(store: Store, add: Callable[..., Job]):
    add(plan=None, frames_total=None)
    with store.read() as tx:
        job = jobs.get(tx, "job-a")
        assert (job.plan, job.media, job.progress) == (None, None, None)
        assert segments.states(tx, "job-a") == []
        assert listing.page(tx)[0] == [job]


def test_a_moment_given_in_another_zone_comes_back_in_utc(store: Store, add: Callable[..., Job]):
    moment = utc_now().astimezone(timezone(timedelta(hours=5)))
    add(created_at=moment)
    with store.read() as tx:
        created_at = jobs.get(tx, "job-a").created_at
    assert created_at == moment
    assert created_at.utcoffset() == timedelta(0)


def test_a_new_job_is_told_as_queued_with_nothing_before(store: Store, add: Callable[..., Job]):
    add()
    assert statuses_told(store) == [(None, JobStatus.QUEUED, None)]


@pytest.mark.parametrize("ask", [jobs.get, jobs.queue_position, jobs.delete, jobs.lock])
def test_a_job_that_is_not_there_is_unknown(store: Store, ask: Callable[..., object]):
    with store.begin() as tx, pytest.raises(UnknownJob, match="There is no job 'nobody'"):
        ask(tx, "nobody")


def test_moving_planning_or_wanting_an_unknown_job_is_refused(store: Store, make_job: Callable[..., Job]):
    with store.begin() as tx:
        with pytest.raises(UnknownJob):
            jobs.move(tx, "nobody", JobStatus.RUNNING)
        with pytest.raises(UnknownJob):
            jobs.want(tx, "nobody", Wanted.STOP)
        with pytest.raises(UnknownJob):
            jobs.set_plan(tx, "nobody", make_job().plan, 1, ())


def test_an_idempotency_key_finds_its_job_and_is_taken_once(store: Store, add: Callable[..., Job]):
    add("job-a", key="k1")
    add("job-b")
    add("job-c")  # jobs without a key do not stand in each other's way
    with store.read() as tx:
        assert jobs.by_idempotency_key(tx, "k1") == ("job-a", "print of k1")
        assert jobs.by_idempotency_key(tx, "k2") is None
    with pytest.raises(IdempotencyConflict, match="'k1' was used before"):
        add("job-d", key="k1")
    with store.read() as tx:
        assert [job.id for job in listing.page(tx)[0]] == ["job-c", "job-b", "job-a"]
        assert facts.head(tx) == 3


@pytest.mark.parametrize("to", JobStatus)
@pytest.mark.parametrize("start", JobStatus)
def test_a_job_moves_only_as_the_table_of_moves_allows(store: Store, add: Callable[..., Job], start: JobStatus, to: JobStatus):
    add()
    walk(store, "job-a", *WAYS[start])
    told = len(statuses_told(store))
    if to in MOVES[start]:
        with store.begin() as tx:
            assert jobs.move(tx, "job-a", to, reason="because").status is to
        assert statuses_told(store)[told:] == [(start, to, "because")]
        return
    with store.begin() as tx, pytest.raises(WrongState, match=f"Job job-a is {start}; becoming {to} needs"):
        jobs.move(tx, "job-a", to)
    with store.read() as tx:
        assert jobs.get(tx, "job-a").status is start
    assert len(statuses_told(store)) == told


def test_the_first_start_and_the_end_are_timed_and_a_retry_clears_end_and_error(store: Store, add: Callable[..., Job]):
    add()
    with store.begin() as tx:
        assert jobs.get(tx, "job-a").started_at is None
        started = jobs.move(tx, "job-a", JobStatus.RUNNING).started_at
        assert started is not None
        jobs.move(tx, "job-a", JobStatus.PAUSED)
        jobs.move(tx, "job-a", JobStatus.QUEUED)
        assert jobs.move(tx, "job-a", JobStatus.RUNNING).started_at == started
        failed = jobs.move(tx, "job-a", JobStatus.FAILED, error="No stage is left.")
        assert failed.error == "No stage is left."
        assert failed.finished_at >= started
        again = jobs.move(tx, "job-a", JobStatus.QUEUED)
    assert (again.error, again.finished_at, again.started_at) == (None, None, started)


def test_what_is_wanted_is_stored(store: Store, add: Callable[..., Job]):
    add()
    with store.begin() as tx:
        assert jobs.want(tx, "job-a", Wanted.STOP).wanted is Wanted.STOP
    with store.read() as tx:
        assert jobs.get(tx, "job-a").wanted is Wanted.STOP


@pytest.mark.parametrize(("wanted", "status"), [("PAUSE", "PAUSED"), ("RUN", "RUNNING"), ("CANCEL", "RUNNING")])
def test_a_job_rests_only_if_that_is_still_wanted(store: Store, add: Callable[..., Job], wanted: str, status: str):
    add()
    walk(store, "job-a", JobStatus.RUNNING)
    with store.begin() as tx:
        jobs.want(tx, "job-a", Wanted.PAUSE)
    with store.begin() as tx:
        jobs.want(tx, "job-a", Wanted[wanted])  # while its last frames were brought in
    for _ in range(2):  # to rest twice is to rest
        with store.begin() as tx:
            jobs.rest(tx, "job-a")
    with store.read() as tx:
        assert jobs.get(tx, "job-a").status is JobStatus[status]
    assert len(statuses_told(store)) == (3 if status == "PAUSED" else 2)


def test_deleting_a_job_deletes_all_that_is_its_own_and_nothing_else(store: Store, add: Callable[..., Job]):
    add("job-a")
    add("job-b")

    def rows() -> dict[str, int]:
        with store.read() as tx:
            of_a = "SELECT count(*) FROM {} WHERE {} = 'job-a'"
            owned = [table for table in metadata.sorted_tables if "job_id" in table.c]
            return {table.name: tx.exec_driver_sql(of_a.format(table.name, "job_id")).scalar_one() for table in owned}

    assert rows() == {
        "segments": 3, "job_plugins": 1, "job_tags": 2, "facts": 1, "breakdowns": 0, "decisions": 0, "warnings": 0,
    }  # fmt: skip
    with store.begin() as tx:
        jobs.delete(tx, "job-a")
    assert set(rows().values()) == {0}
    with store.read() as tx:
        assert jobs.get(tx, "job-b").id == "job-b"
        assert len(segments.states(tx, "job-b")) == 3


def test_uploads_are_in_use_as_long_as_a_job_reads_them(store: Store, add: Callable[..., Job]):
    one = SourceRef(SourceKind.VIDEO, "a.mp4", "/up/1", sha256="1" * 64, upload=True)
    add("job-a", source=one)
    add("job-b", source=one)
    add("job-c", source=SourceRef(SourceKind.VIDEO, "mine.mp4", "/home/mine.mp4", sha256="2" * 64))
    with store.begin() as tx:
        assert jobs.uploads_in_use(tx) == {"1" * 64}
        jobs.delete(tx, "job-a")
        assert jobs.path_in_use(tx, "1" * 64)
        assert not jobs.path_in_use(tx, "2" * 64)
        jobs.delete(tx, "job-b")
        assert not jobs.path_in_use(tx, "1" * 64)
        assert jobs.uploads_in_use(tx) == set()


def test_a_plan_made_late_replaces_the_earlier_one_until_work_has_begun(
    store: Store, add: Callable[..., Job], make_job: Callable[..., Job], segments_of: Callable[[Job], list[Segment]]
):
    add(plan=None, frames_total=None)
    late = make_job(lengths=(5, 5))
    with store.begin() as tx:
        jobs.set_plan(tx, "job-a", late.plan, 10, segments_of(late))
        jobs.set_plan(tx, "job-a", late.plan, 10, segments_of(late))
        assert jobs.get(tx, "job-a").plan == without_segments(late).plan
        assert jobs.get(tx, "job-a").frames_total == 10
        assert segments.states(tx, "job-a") == segments_of(late)
        assert segments.claim(tx, "job-a", holder="h", lease_s=60, now=utc_now())
        with pytest.raises(WrongState, match="planning needs a job that is not begun"):
            jobs.set_plan(tx, "job-a", late.plan, 10, segments_of(late))


def test_a_refreshed_job_is_the_job_read_anew(store: Store, add: Callable[..., Job]) -> None:
    early = add()
    with store.begin() as tx:
        jobs.move(tx, early.id, JobStatus.RUNNING)
        jobs.want(tx, early.id, Wanted.STOP)
        jobs.note_progress(tx, early.id, 40)
        jobs.move(tx, early.id, JobStatus.FAILED, error="It broke.")
        stored = jobs.get(tx, early.id)
        assert jobs.refreshed(tx, stored) == stored
        assert jobs.refreshed(tx, replace(early, plan=stored.plan)) == stored  # a stored job's plan holds no segments
        jobs.delete(tx, early.id)
        with pytest.raises(UnknownJob):
            jobs.refreshed(tx, stored)
