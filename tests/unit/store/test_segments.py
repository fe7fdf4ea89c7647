"""Segments: claimed in frame order under a growing term, fenced when the lease is lost, committed once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from app.domain.job import Job, RowsPlace, Segment, SegmentState, Wanted
from app.store import jobs, segments, stretches, tables
from app.store.engine import Store
from tests.committing import commit_alone

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("neighbours")


def claim(
    store: Store, holder: str = "one", *, after_s: float = 0, lease_s: float = 10, job_id: str = "job-a"
) -> Segment | None:
    with store.begin() as tx:
        return segments.claim(tx, job_id, holder=holder, lease_s=lease_s, now=NOW + timedelta(seconds=after_s))


def commit(store: Store, segment: Segment, file: str = "rows.ndjson", loop_ms: float = 12.5) -> bool:
    with store.begin() as tx:
        return commit_alone(tx, segment, outputs_file=file, frames=segment.end - segment.start, loop_ms=loop_ms)


def renew(store: Store, segment: Segment, *, after_s: float = 0) -> Wanted | None:
    with store.begin() as tx:
        return segments.renew(tx, segment, 10, NOW + timedelta(seconds=after_s))


def frames_done(store: Store, job_id: str = "job-a") -> int:
    with store.read() as tx:
        return jobs.get(tx, job_id).frames_done


def standing(store: Store, job_id: str = "job-a") -> tuple[bool, int, int, int, bool]:
    """Whether a job was begun, how many segments are open, left to be read and in hand, and whether any is open."""
    with store.read() as tx:
        return (
            segments.begun(tx, job_id), segments.count_open(tx, job_id), segments.count_left(tx, job_id),
            segments.count_leased(tx, job_id), segments.any_open(tx, job_id),
        )  # fmt: skip


def test_segments_are_claimed_in_frame_order_until_none_is_left(store: Store, add: Callable[..., Job]):
    job = add()
    claimed = [claim(store), claim(store, "two"), claim(store)]
    assert [(segment.index, segment.start, segment.end, segment.term) for segment in claimed] == [
        (0, 0, 4, 1),
        (1, 4, 8, 1),
        (2, 8, 10, 1),
    ]
    assert [segment.planned for segment in claimed] == list(job.plan.segments)
    assert {segment.state for segment in claimed} == {SegmentState.LEASED}
    assert claim(store) is None


def test_nothing_is_claimed_of_an_unknown_job_or_of_another_one(store: Store, add: Callable[..., Job]):
    add("job-a", lengths=(3,))
    assert claim(store, job_id="nobody") is None
    assert claim(store, job_id="job-a").job_id == "job-a"
    assert claim(store, job_id="job-a") is None


def test_a_commit_counts_the_segment_s_frames_once(store: Store, add: Callable[..., Job]):
    add()
    first, second = claim(store), claim(store)
    assert commit(store, second, "second", loop_ms=20)
    assert frames_done(store) == 4
    assert not commit(store, second, "again")
    assert commit(store, first, "first")
    assert frames_done(store) == 8
    with store.read() as tx:
        done = segments.committed(tx, "job-a")
        assert [(segment.index, segment.rows) for segment in done] == [(0, ("first", 0, None)), (1, ("second", 0, None))]
        assert segments.loop_ms(tx, "job-a") == 32.5
        assert [segment.state for segment in segments.states(tx, "job-a")] == ["committed", "committed", "pending"]
        assert (segments.count_open(tx, "job-a"), segments.count_leased(tx, "job-a")) == (1, 0)


def test_a_job_s_segments_are_counted_from_the_first_claim_to_the_last_commit(store: Store, add: Callable[..., Job]):
    add(lengths=(4, 4))
    assert standing(store) == (False, 2, 2, 0, True)
    first = claim(store)
    assert standing(store) == (True, 2, 2, 1, True)
    second = claim(store)
    with store.begin() as tx:
        assert commit_alone(tx, first, outputs_file="f", frames=4, loop_ms=1.0, to=SegmentState.AWAITING)
    assert standing(store) == (True, 2, 1, 1, True)
    with store.begin() as tx:
        assert segments.release(tx, second)
    assert standing(store) == (True, 2, 1, 0, True)
    assert commit(store, claim(store))
    assert standing(store) == (True, 1, 0, 0, True)
    with store.begin() as tx:
        assert segments.release_job(tx, "job-a") == 0
        segments.remove(tx, "job-a")
    assert standing(store) == (False, 0, 0, 0, False)


def test_a_job_committed_whole_has_nothing_open_and_one_without_commits_has_no_loop_time(store: Store, add: Callable[..., Job]):
    add(lengths=(4,))
    with store.read() as tx:
        assert segments.loop_ms(tx, "job-a") == 0.0
    commit(store, claim(store))
    assert standing(store) == (True, 0, 0, 0, False)


def test_of_very_many_segments_left_a_thousand_are_counted(store: Store, add: Callable[..., Job]):
    add(lengths=(1,) * 1002)
    assert standing(store)[1:3] == (1002, 1000)


def test_a_term_that_was_never_given_holds_nothing(store: Store, add: Callable[..., Job]):
    add()
    held = claim(store)
    for term in (held.term - 1, held.term + 1):
        invented = replace(held, term=term)
        assert renew(store, invented) is None
        assert not commit(store, invented)
        with store.begin() as tx:
            assert not segments.release(tx, invented)
    assert commit(store, held)


def test_a_segment_whose_lease_ran_out_goes_to_the_next_and_fences_its_holder(store: Store, add: Callable[..., Job]):
    add()
    lost = claim(store, lease_s=10)
    assert claim(store, "two", after_s=9.999).index == 1
    taken = claim(store, "two", after_s=10)
    assert (taken.index, taken.term) == (0, 2)
    assert renew(store, lost, after_s=10) is None
    assert not commit(store, lost, "of the fenced")
    with store.begin() as tx:
        assert not segments.release(tx, lost)
    assert frames_done(store) == 0
    assert commit(store, taken, "of the holder")
    assert not commit(store, lost, "of the fenced")
    with store.read() as tx:
        assert segments.committed(tx, "job-a")[0].rows.file == "of the holder"
        assert segments.committed(tx, "job-a")[0].term == 2
    assert frames_done(store) == 4


def test_a_lease_that_is_renewed_is_kept_and_tells_what_is_wanted(store: Store, add: Callable[..., Job]):
    add(lengths=(4,))
    held = claim(store, lease_s=10)
    assert renew(store, held, after_s=8) is Wanted.RUN
    with store.begin() as tx:
        jobs.want(tx, "job-a", Wanted.PAUSE)
    assert claim(store, "two", after_s=17) is None
    assert renew(store, held, after_s=17) is Wanted.PAUSE
    assert renew(store, held, after_s=99) is Wanted.PAUSE  # late, but nobody came in between
    assert claim(store, "two", after_s=108) is None
    assert claim(store, "two", after_s=109).term == 2


def test_a_committed_segment_is_never_claimed_again_however_late(store: Store, add: Callable[..., Job]):
    add(lengths=(4,))
    commit(store, claim(store))
    assert claim(store, "two", after_s=10_000_000) is None


def test_a_released_segment_is_the_next_one_claimed_and_its_old_holder_is_fenced(store: Store, add: Callable[..., Job]):
    add()
    first = claim(store)
    claim(store)
    with store.begin() as tx:
        assert segments.release(tx, first)
        assert not segments.release(tx, first)
    assert renew(store, first) is None
    assert not commit(store, first)
    again = claim(store, "two")
    assert (again.index, again.term) == (0, 2)
    assert not commit(store, first)
    assert commit(store, again)


def test_a_segment_given_back_leaves_those_before_and_behind_it_in_hand(store: Store, add: Callable[..., Job]):
    add()
    before, middle, behind = (claim(store) for _ in range(3))
    with store.begin() as tx:
        assert segments.release(tx, middle)
    assert renew(store, middle) is None
    assert [renew(store, held) for held in (before, behind)] == [Wanted.RUN, Wanted.RUN]


def test_a_holder_s_segments_are_given_back_by_the_beginning_of_its_name(store: Store, add: Callable[..., Job]):
    add("job-a", lengths=(1, 1, 1, 1))
    add("job-b", lengths=(1,))
    held = [claim(store, holder) for holder in ("host%1:7", "host%1:8", "HOST%1:9", "hostx1:7")]
    claim(store, "host%1:7", job_id="job-b")
    commit(store, held[1])
    with store.begin() as tx:
        assert segments.release_holder(tx, "host%1:") == 2
        assert segments.release_holder(tx, "nobody") == 0
    with store.read() as tx:
        assert [segment.state for segment in segments.states(tx, "job-a")] == ["pending", "committed", "leased", "leased"]
        assert segments.count_leased(tx, "job-b") == 0


def test_all_holders_of_a_job_are_fenced_at_once(store: Store, add: Callable[..., Job]):
    add("job-a")
    add("job-b")
    held = [claim(store), claim(store, "two")]
    other = claim(store, job_id="job-b")
    with store.begin() as tx:
        assert segments.release_job(tx, "job-a") == 2
    assert [commit(store, segment) for segment in held] == [False, False]
    assert commit(store, other)


def test_a_deleted_job_fences_its_holders(store: Store, add: Callable[..., Job]):
    add()
    held = claim(store)
    with store.begin() as tx:
        jobs.delete(tx, "job-a")
    assert renew(store, held) is None
    assert not commit(store, held)
    assert claim(store) is None


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, None, [0, 1, 3]),
        (0, 4, [0]),
        (3, 5, [0, 1]),
        (4, 8, [1]),
        (8, 10, []),
        (9, 11, [3]),
        (12, None, []),
        (0, 0, []),
        (2, 2, []),
    ],
)
def test_committed_segments_are_found_by_the_frames_they_hold(
    store: Store, add: Callable[..., Job], start: int, end: int | None, expected: list[int]
):
    add(lengths=(4, 4, 2, 2))
    claimed = [claim(store) for _ in range(4)]
    for index in (3, 0, 1):
        commit(store, claimed[index])
    with store.read() as tx:
        assert [segment.index for segment in segments.committed(tx, "job-a", start, end)] == expected


def test_without_bounds_all_that_is_committed_is_found(store: Store, add: Callable[..., Job]):
    add(lengths=(1, 1))
    commit(store, claim(store))
    with store.read() as tx:
        assert [segment.index for segment in segments.committed(tx, "job-a")] == [0]


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)  # the wording of the plan is its own
def test_a_claim_looks_at_open_segments_only_and_finds_them_by_the_index(store: Store, add: Callable[..., Job]):
    add()
    with store.begin() as tx:
        plan = tx.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT segment_index FROM segments WHERE job_id = 'a' AND segments.state <> 'committed' "
            "ORDER BY segment_index LIMIT 1"
        ).all()
    assert "ix_segments_open" in str(plan)
    assert "TEMP B-TREE" not in str(plan)


def test_a_frame_is_found_in_the_segment_that_holds_it(store: Store, add: Callable[..., Job]):
    job = add()
    with store.read() as tx:
        for segment in segments.states(tx, job.id):
            assert segments.with_frame(tx, job.id, segment.start) == segment
            assert segments.with_frame(tx, job.id, segment.end - 1) == segment
        assert segments.with_frame(tx, job.id, 10) is None


def test_a_file_counts_while_rows_of_a_segment_in_it_do(store: Store, add: Callable[..., Job]):
    add()
    first, second = claim(store), claim(store)
    with store.begin() as tx:
        assert not segments.any_in(tx, "job-a", "m")
        for segment in (first, second):
            place = RowsPlace("m", 7 * segment.index, 7)
            assert stretches.commit(tx, "job-a", [stretches.Finished(segment, place, 4, 1.0)])
            found = [segments.any_in(tx, job_id, file) for job_id in ("job", "job-a", "job-b") for file in ("l", "m", "n")]
            assert found == [False, False, False, False, True, False, False, False, False]


def test_rows_of_a_job_from_before_files_were_shared_are_all_of_their_file(store: Store, add: Callable[..., Job]):
    add()
    assert commit(store, claim(store), "whole")
    with store.begin() as tx:
        older = sa.update(tables.segments).where(tables.segments.c.job_id == "job-a")
        tx.execute(older.values(outputs_start=None, outputs_size=None))
        assert segments.committed(tx, "job-a")[0].rows == ("whole", 0, None)
