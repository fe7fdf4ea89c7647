"""Segments that await their followers: claimed strictly in frame order, by one holder at a time."""

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.job import Segment, SegmentState
from app.store import jobs
from app.store.segments import read
from app.store.tables import segments

_C: Final = segments.c
_MOST_IN_HAND: Final = 32  # no holder has as many in its hands at once
_OPEN: Final = sa.text("segments.state <> 'committed'")  # spelt as the partial index spells it, so that it is used


def claim(tx: Connection, job_id: str, *, holder: str, lease_s: float, now: datetime) -> Segment | None:
    """Lease the earliest segment no follower has gone over, where its other stages have run; its term grows by one.

    Everything before it is committed, or in the hands of this same holder. None: it cannot be claimed now. `now` is an aware
    datetime; raises UnknownJob.
    """
    jobs.lock(tx, job_id)  # two that claim at once must not both find the same gap
    in_hand = (_C.state == SegmentState.FOLLOWING) & (_C.lease_until > now)
    query = sa.select(_C.segment_index, _C.state, _C.holder, in_hand.label("in_hand"))
    for row in tx.execute(query.where(_C.job_id == job_id, _OPEN).order_by(_C.segment_index).limit(_MOST_IN_HAND)):
        if row.in_hand and row.holder == holder:
            continue
        if row.in_hand or row.state not in {SegmentState.AWAITING, SegmentState.FOLLOWING}:
            return None
        until = now + timedelta(seconds=lease_s)
        claimed = sa.update(segments).where(_C.job_id == job_id, _C.segment_index == row.segment_index)
        taken = claimed.values(state=SegmentState.FOLLOWING, term=_C.term + 1, holder=holder, lease_until=until)
        return read(tx.execute(taken.returning(*_C)).one())
    return None


def frames_behind(tx: Connection, job_id: str) -> int:
    """How many frames of a job have been through its other stages and not through its followers."""
    waiting = (_C.state == SegmentState.AWAITING) | (_C.state == SegmentState.FOLLOWING)
    counted = sa.select(sa.func.sum(_C.end_frame - _C.start_frame)).where(_C.job_id == job_id, _OPEN, waiting)
    return int(tx.execute(counted).scalar() or 0)
