"""Segments that await their followers: handed on when the other stages are done, claimed in frame order, committed once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from app.domain.job import Job, Segment, SegmentState
from app.store import follows, jobs, segments
from app.store.engine import Store
from tests.committing import commit_alone

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def lead(store: Store, number: int) -> None:
    """Do the next segment up to where it awaits its followers."""
    with store.begin() as tx:
        segment = segments.claim(tx, "job-a", holder="lead", lease_s=10, now=NOW)
        assert segment
        assert segment.index == number
        done = {"outputs_file": f"{number}-1", "frames": 4, "loop_ms": 2.0}
        assert commit_alone(tx, segment, **done, to=SegmentState.AWAITING)


def claim(store: Store, holder: str = "one", *, after_s: float = 0) -> Segment | None:
    with store.begin() as tx:
        return follows.claim(tx, "job-a", holder=holder, lease_s=10, now=NOW + timedelta(seconds=after_s))


def commit(store: Store, segment: Segment) -> bool:
    with store.begin() as tx:
        name = f"{segment.index}-{segment.term}"
        return commit_alone(tx, segment, outputs_file=name, frames=segment.end - segment.start, loop_ms=1.0)


def frames(store: Store) -> tuple[int, int]:
    """How many frames are done, and how many await their followers."""
    with store.read() as tx:
        return jobs.get(tx, "job-a").frames_done, follows.frames_behind(tx, "job-a")


def test_a_segment_counts_when_its_followers_are_done_with_it(store: Store, add: Callable[..., Job]):
    add()
    assert claim(store) is None
    lead(store, 0)
    assert frames(store) == (0, 4)
    with store.read() as tx:
        assert segments.committed(tx, "job-a") == []
    segment = claim(store)
    assert segment
    assert (segment.index, segment.term, segment.rows.file, segment.state) == (0, 2, "0-1", SegmentState.FOLLOWING)
    assert commit(store, segment)
    assert not commit(store, segment)
    assert frames(store) == (4, 0)
    with store.read() as tx:
        assert [part.rows.file for part in segments.committed(tx, "job-a")] == ["0-2"]
        assert segments.loop_ms(tx, "job-a") == 3.0


def test_segments_are_followed_in_frame_order_and_a_gap_is_waited_for(store: Store, add: Callable[..., Job]):
    add()
    with store.begin() as tx:
        first = segments.claim(tx, "job-a", holder="lead", lease_s=10, now=NOW)
    lead(store, 1)
    assert claim(store) is None  # the first is still in hand
    with store.begin() as tx:
        assert commit_alone(tx, first, outputs_file="0-1", frames=4, loop_ms=1.0, to=SegmentState.AWAITING)
    lead(store, 2)
    assert [segment.index for segment in iter(lambda: claim(store), None)] == [0, 1, 2]


def test_one_holder_follows_at_a_time_until_its_lease_runs_out(store: Store, add: Callable[..., Job]):
    add()
    lead(store, 0)
    lead(store, 1)
    mine = claim(store, "one")
    assert claim(store, "two") is None
    theirs = claim(store, "two", after_s=11)
    assert mine
    assert theirs
    assert (theirs.index, theirs.term) == (0, mine.term + 1)
    assert not commit(store, mine)
    assert commit(store, theirs)


def test_what_is_followed_is_claimed_by_followers_alone_however_late(store: Store, add: Callable[..., Job]):
    add(lengths=(4,))
    lead(store, 0)
    with store.begin() as tx:
        assert segments.claim(tx, "job-a", holder="lead", lease_s=10, now=NOW) is None
    assert claim(store)
    with store.begin() as tx:
        assert segments.claim(tx, "job-a", holder="lead", lease_s=10, now=NOW + timedelta(days=1)) is None


def test_what_is_given_back_awaits_its_followers_again(store: Store, add: Callable[..., Job]):
    add()
    lead(store, 0)
    for give_back in (
        segments.release,
        lambda tx, _: segments.release_holder(tx, "one"),
        lambda tx, _: segments.release_job(tx, "job-a"),
    ):
        segment = claim(store)
        with store.begin() as tx:
            assert segments.holders(tx) == {"one"}
            assert segments.count_leased(tx, "job-a") == 1
            assert give_back(tx, segment) == 1
            assert segments.count_leased(tx, "job-a") == 0
        assert segment
        assert not commit(store, segment)
        with store.begin() as tx:
            assert segments.states(tx, "job-a")[0].state is SegmentState.AWAITING
