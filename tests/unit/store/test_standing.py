"""Whether work goes on, by the rows: statuses and wishes, committed segments and renewed leases; nothing else counts."""

from collections.abc import Callable
from datetime import timedelta

from app.domain.job import Job, JobStatus, Wanted
from app.engine.vitals import STILL_S, standstill
from app.store import jobs, segments
from app.store.engine import Store, utc_now
from app.store.standing import Movement, movement
from tests.committing import commit_alone

LONG_AGO = timedelta(hours=1)


def read(store: Store) -> Movement:
    with store.read() as tx:
        return movement(tx)


def forget(store: Store) -> None:
    """Let every job have moved last long ago."""
    with store.begin() as tx:
        tx.execute(jobs.jobs.update().values(moved_at=utc_now() - LONG_AGO))


def moved(store: Store) -> bool:
    found = read(store)
    assert found.moved_at is not None
    return utc_now() - found.moved_at < LONG_AGO / 2


def test_a_job_moves_with_its_status_a_wish_a_commit_and_a_renewed_lease_and_with_no_claim(
    store: Store, add: Callable[..., Job]
) -> None:
    job = add()
    assert moved(store)
    forget(store)
    with store.begin() as tx:
        first = segments.claim(tx, job.id, holder="one", lease_s=10, now=utc_now())
    assert not moved(store)
    with store.begin() as tx:
        assert segments.renew(tx, first, 10, utc_now()) is Wanted.RUN
    assert moved(store)
    forget(store)
    with store.begin() as tx:
        assert commit_alone(tx, first, outputs_file="a", frames=4, loop_ms=1)
    assert moved(store)
    forget(store)
    with store.begin() as tx:
        assert segments.renew(tx, first, 10, utc_now()) is None  # it holds nothing any more
    assert not moved(store)
    with store.begin() as tx:
        jobs.move(tx, job.id, JobStatus.RUNNING)
    assert moved(store)
    forget(store)
    with store.begin() as tx:
        jobs.want(tx, job.id, Wanted.STOP)
    assert moved(store)


def test_only_jobs_of_the_server_that_wait_for_frames_count(store: Store, add: Callable[..., Job]) -> None:
    assert read(store) == Movement(0, None)
    for number, status in enumerate((JobStatus.PAUSED, JobStatus.FINALIZING, JobStatus.FAILED)):
        add(f"job-{number}")
        with store.begin() as tx:
            jobs.move(tx, f"job-{number}", status)
    add("job-own", runner="a run of one's own")
    assert read(store).jobs == 0
    add("job-queued")
    add("job-running")
    with store.begin() as tx:
        jobs.move(tx, "job-running", JobStatus.RUNNING)
    assert read(store).jobs == 2


def test_a_standstill_is_told_only_while_something_waits_and_nothing_moved_since_anybody_could() -> None:
    now = utc_now()
    early, late = now - timedelta(seconds=STILL_S + 5), now - timedelta(seconds=STILL_S - 5)
    assert standstill(Movement(0, None), now) is None
    assert standstill(Movement(0, early), now) is None
    assert standstill(Movement(2, late), now) is None
    assert standstill(Movement(2, early), now, since=late) is None
    told = standstill(Movement(2, early), now, since=early)
    assert told == "Work stands still: 2 jobs wait, and for 25 s no frames were committed and no lease was renewed."
