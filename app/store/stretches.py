"""Stretches: segments next to each other, claimed at once for one worker, and committed with what else is done."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.job import RowsPlace, Segment, SegmentState
from app.store.segments import FREE, IN_HAND, OPEN, read
from app.store.tables import segments

_C: Final = segments.c
_JOB: Final[sa.BindParameter[str]] = sa.bindparam("of_job")
# Built once: what happens to each segment must cost little.
_NEXT: Final = (
    sa.select(segments)
    .where(_C.job_id == _JOB, OPEN, FREE)
    .order_by(_C.segment_index)
    .limit(sa.bindparam("most"))
    .with_for_update(skip_locked=True)
)
_LEASE: Final = (
    sa.update(segments)
    .where(_C.job_id == _JOB, _C.segment_index.between(sa.bindparam("first"), sa.bindparam("last")))
    .values(state=SegmentState.LEASED, term=_C.term + 1, holder=sa.bindparam("by"), lease_until=sa.bindparam("until"))
)
_HELD: Final = (
    sa.select(_C.segment_index, _C.term)
    .where(_C.job_id == _JOB, _C.segment_index.in_(sa.bindparam("indices", expanding=True)), _C.state.in_(IN_HAND))
    .order_by(_C.segment_index)
    .with_for_update()
)
_DONE: Final = (
    sa.update(segments)
    .where(_C.job_id == _JOB, _C.segment_index == sa.bindparam("at_index"), _C.term == sa.bindparam("of_term"))
    .values(
        state=sa.bindparam("to"),
        outputs_file=sa.bindparam("to_file"),
        outputs_start=sa.bindparam("to_start"),
        outputs_size=sa.bindparam("to_size"),
        frames=sa.bindparam("to_frames"),
        loop_ms=sa.func.coalesce(_C.loop_ms, 0.0) + sa.bindparam("more_ms"),
        lease_until=None,
    )
)


class Finished(NamedTuple):
    """A segment whose rows lie in their place: how many frames were read, how long that took, and where it goes from here."""

    segment: Segment
    rows: RowsPlace
    frames: int
    loop_ms: float
    to: SegmentState = SegmentState.COMMITTED


def claim(tx: Connection, job_id: str, *, holder: str, lease_s: float, now: datetime, most: int) -> list[Segment]:
    """Lease the first segments that are free and stand next to each other, about `most` of them; their terms grow by one.

    Segments that are decoded from one key packet are not parted where that takes no more than twice as many: whoever did the
    others would decode these too. `now` is an aware datetime. Empty: nothing of this job can be claimed.
    """
    rows = tx.execute(_NEXT, {"of_job": job_id, "now": now, "most": 2 * most + 1})
    taken = _stretch([read(row) for row in rows], most)
    if not taken:
        return []
    until = now + timedelta(seconds=lease_s)
    within = {"first": taken[0].index, "last": taken[-1].index}
    leased = tx.execute(_LEASE, {"of_job": job_id, "by": holder, "until": until, **within})
    assert leased.rowcount == len(taken)  # noqa: S101  # their rows are locked, and none stands between them
    return [replace(segment, state=SegmentState.LEASED, term=segment.term + 1) for segment in taken]


def commit(tx: Connection, job_id: str, finished: Sequence[Finished]) -> set[tuple[int, int]]:
    """Commit segments in hand; give index and term of those that were, without the fenced ones and those committed before.

    Nothing is counted to the job yet: see `jobs.advance`.
    """
    rows = tx.execute(_HELD, {"of_job": job_id, "indices": [one.segment.index for one in finished]})
    held = {(row.segment_index, row.term) for row in rows}
    counted = [one for one in finished if (one.segment.index, one.segment.term) in held]
    if counted:
        tx.execute(_DONE, [_values(one) for one in counted])
    return {(one.segment.index, one.segment.term) for one in counted}


def _values(one: Finished) -> dict[str, object]:
    return {
        "of_job": one.segment.job_id, "at_index": one.segment.index, "of_term": one.segment.term, "to": one.to,
        "to_file": one.rows.file, "to_start": one.rows.start, "to_size": one.rows.size,
        "to_frames": one.frames, "more_ms": one.loop_ms,
    }  # fmt: skip


def _stretch(free: Sequence[Segment], most: int) -> list[Segment]:
    """Choose from the free segments, in frame order: those before the first gap, about `most`, key groups whole."""
    adjacent = [one for number, one in enumerate(free) if one.index == free[0].index + number]
    edges = [end for end in range(1, len(adjacent)) if not _share_key(adjacent[end - 1], adjacent[end])]
    if len(adjacent) <= 2 * most:  # nothing free follows: the last group ends here as well
        edges.append(len(adjacent))
    end = min(edges, key=lambda end: (abs(end - most), end), default=most)
    return list(adjacent[:end])


def _share_key(one: Segment, other: Segment) -> bool:
    mine, its = one.planned.entry, other.planned.entry
    return one.pass_number == other.pass_number and mine is not None and its is not None and mine.shares_key(its)
