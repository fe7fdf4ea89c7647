"""Stretches: adjacent segments claimed at once, key groups whole, and committed together, the fenced ones left out."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.job import Job, RowsPlace, Segment, SegmentState
from app.domain.media import DecodePlan, MediaInfo, PlannedSegment, SegmentEntry, SourcePlan
from app.store import jobs, segments, stretches
from app.store.engine import Store

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("neighbours")


def claim(store: Store, most: int, *, holder: str = "one", after_s: float = 0) -> list[Segment]:
    with store.begin() as tx:
        now = NOW + timedelta(seconds=after_s)
        return stretches.claim(tx, "job-a", holder=holder, lease_s=10, now=now, most=most)


def indices(claimed: list[Segment]) -> list[int]:
    return [segment.index for segment in claimed]


def finished(*claimed: Segment, name: str = "rows") -> list[stretches.Finished]:
    return [
        stretches.Finished(segment, RowsPlace(f"{name} {segment.index}", 10 * segment.index, 10), 4, 12.5)
        for segment in claimed
    ]


def test_a_stretch_is_what_comes_next_in_frame_order_leased_under_the_next_term(store: Store, add: Callable[..., Job]):
    add(lengths=(4,) * 6)
    first, second = claim(store, 4), claim(store, 4, holder="two")
    assert (indices(first), indices(second), claim(store, 4)) == ([0, 1, 2, 3], [4, 5], [])
    assert {(one.state, one.term) for one in (*first, *second)} == {(SegmentState.LEASED, 1)}
    with store.read() as tx:
        assert segments.states(tx, "job-a") == [*first, *second]
        assert segments.holders(tx) == {"one", "two", "neighbour"}


def test_a_stretch_ends_where_a_segment_is_not_free(store: Store, add: Callable[..., Job]):
    add(lengths=(4,) * 6)
    first = claim(store, 6)
    with store.begin() as tx:
        for segment in (first[0], first[1], first[3], first[4]):
            assert segments.release(tx, segment)
    assert [indices(claim(store, 6)), indices(claim(store, 6))] == [[0, 1], [3, 4]]
    assert [(one.index, one.term) for one in claim(store, 6, after_s=11)] == [(0, 3), (1, 3), (2, 2), (3, 3), (4, 3), (5, 2)]


@pytest.mark.parametrize(
    ("groups", "most", "taken"),
    [
        ((4, 4, 4), 4, [4, 4, 4]),
        ((4, 4, 4), 6, [4, 4, 4]),  # cut back to the end of a group
        ((4, 4), 3, [4, 4]),  # and on to it, where that is nearer
        ((4, 4), 2, [4, 4]),
        ((1, 4, 4), 4, [5, 4]),
        ((9, 3), 3, [3, 6, 3]),  # too long a group is parted all the same
        ((5, 1), 2, [2, 3, 1]),  # one more than twice as many is too long
        ((1, 3), 2, [1, 3]),
        ((1,) * 5, 2, [2, 2, 1]),
    ],
)
def test_segments_that_share_a_key_packet_are_not_parted(store: Store, add: Callable[..., Job], groups, most, taken):
    keys = [key for key, number in enumerate(groups) for _ in range(number)]
    entries = [SegmentEntry(key, key, key, 9, 64, 4 * number, 4 * number + 4) for number, key in enumerate(keys)]
    parts = tuple(PlannedSegment(entry.first, entry.until, None, entry) for entry in entries)
    add(plan=SourcePlan(MediaInfo(64, 48, 4 * len(keys), None, None, "mp4", "h264"), DecodePlan(), parts))
    assert [len(claim(store, most)) for _ in taken] == taken
    assert claim(store, most) == []


def test_the_same_key_packet_in_the_next_pass_is_another_one(store: Store, add: Callable[..., Job]):
    entries = [SegmentEntry(0, 0, 0, 9, 64, first, first + 4) for first in (0, 4)]
    parts = tuple(PlannedSegment(entry.first, entry.until, None, entry) for entry in entries)
    add(plan=SourcePlan(MediaInfo(64, 48, 8, None, None, "mp4", "h264"), DecodePlan(), parts))
    with store.begin() as tx:
        segments.add(tx, [Segment("job-a", 2 + n, 8 + part.start, 8 + part.end, 1, part) for n, part in enumerate(parts)])
    assert [indices(claim(store, 2)) for _ in range(3)] == [[0, 1], [2, 3], []]


def test_a_commit_takes_what_is_in_hand_and_leaves_the_fenced_alone(store: Store, add: Callable[..., Job]):
    add(lengths=(4,) * 4)
    old = claim(store, 4)
    new = claim(store, 2, holder="two", after_s=11)
    with store.begin() as tx:
        assert stretches.commit(tx, "job-a", finished(*old)) == {(2, 1), (3, 1)}
        assert stretches.commit(tx, "job-a", finished(*old)) == set()
        assert stretches.commit(tx, "job-a", [*finished(old[0]), *finished(*new, name="new")]) == {(0, 2), (1, 2)}
    with store.read() as tx:
        rows = [one.rows for one in segments.committed(tx, "job-a")]
    assert rows == [("new 0", 0, 10), ("new 1", 10, 10), ("rows 2", 20, 10), ("rows 3", 30, 10)]


def test_frames_are_counted_and_the_job_is_given_as_it_is_now(store: Store, add: Callable[..., Job]):
    job = add()
    with store.begin() as tx:
        jobs.note_progress(tx, job.id, 7)
        advanced = jobs.advance(tx, job, 6)
    assert (advanced.frames_done, advanced.progress_told) == (6, 7)
