"""Segments: claimed in frame order with a lease and a term, committed whole or not at all."""

from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.job import RowsPlace, Segment, SegmentState, Wanted
from app.store.tables import jobs, segments

IN_HAND: Final = (SegmentState.LEASED, SegmentState.FOLLOWING)
_C: Final = segments.c
OPEN: Final = sa.text("segments.state <> 'committed'")  # spelt as the partial index spells it, so that it is used
# Built once: what happens to each segment must cost little.
_JOB: Final[sa.BindParameter[str]] = sa.bindparam("of_job")
FREE: Final = (_C.state == SegmentState.PENDING) | ((_C.state == SegmentState.LEASED) & (_C.lease_until <= sa.bindparam("now")))
_FIRST: Final = (
    sa.select(_C.segment_index)
    .where(_C.job_id == _JOB, OPEN, FREE)
    .order_by(_C.segment_index)
    .limit(1)
    .with_for_update(skip_locked=True)
    .scalar_subquery()
)
_CLAIM: Final = (
    sa.update(segments)
    .where(_C.job_id == _JOB, _C.segment_index == _FIRST)
    .values(state=SegmentState.LEASED, term=_C.term + 1, holder=sa.bindparam("by"), lease_until=sa.bindparam("until"))
    .returning(*_C)
)
_ANY_OPEN: Final = sa.select(sa.literal(1)).where(_C.job_id == _JOB, OPEN).limit(1)
_SOME_LEFT: Final = (
    sa.select(_C.segment_index)
    .where(_C.job_id == _JOB, OPEN, _C.state.in_((SegmentState.PENDING, SegmentState.LEASED)))
    .limit(1000)
    .subquery()
)
_COUNT_LEFT: Final = sa.select(sa.func.count()).select_from(_SOME_LEFT)


def add(tx: Connection, items: list[Segment]) -> None:
    """Store a job's segments."""
    if items:
        tx.execute(sa.insert(segments), [_values(segment) for segment in items])


def claim(tx: Connection, job_id: str, *, holder: str, lease_s: float, now: datetime) -> Segment | None:
    """Lease the first segment that is pending, or whose lease ran out, to `holder`; its term grows by one.

    `now` is an aware datetime. None: nothing of this job can be claimed.
    """
    until = now + timedelta(seconds=lease_s)
    row = tx.execute(_CLAIM, {"of_job": job_id, "now": now, "by": holder, "until": until}).first()
    return None if row is None else read(row)


def renew(tx: Connection, segment: Segment, lease_s: float, now: datetime) -> Wanted | None:
    """Prolong a lease and say what is wanted of the job; None: the holder is fenced and must not commit."""
    beat = sa.update(segments).where(*held(segment)).values(lease_until=now + timedelta(seconds=lease_s))
    if tx.execute(beat).rowcount == 0:
        return None
    moved = sa.update(jobs).where(jobs.c.id == segment.job_id).values(moved_at=now).returning(jobs.c.wanted)
    wanted: Wanted = tx.execute(moved).scalar_one()
    return wanted


def release(tx: Connection, segment: Segment) -> bool:
    """Give a segment in hand back, to be claimed by anybody; False: it was not held by this term any more."""
    return _release(tx, *held(segment)) == 1


def release_holder(tx: Connection, holder_prefix: str) -> int:
    """Give back every segment whose holder's name begins so; say how many."""
    return _release(tx, sa.func.substr(_C.holder, 1, len(holder_prefix)) == holder_prefix)


def holders(tx: Connection) -> set[str]:
    """Everybody who holds a segment."""
    return set(tx.execute(sa.select(_C.holder).where(_C.state.in_(IN_HAND)).distinct()).scalars()) - {None}


def release_job(tx: Connection, job_id: str) -> int:
    """Give back every segment of a job that is in somebody's hands, which fences them; say how many."""
    return _release(tx, _C.job_id == job_id)


def states(tx: Connection, job_id: str) -> list[Segment]:
    """Every segment of a job, in frame order."""
    query = sa.select(segments).where(_C.job_id == job_id).order_by(_C.segment_index)
    return [read(row) for row in tx.execute(query)]


def committed(tx: Connection, job_id: str, start: int = 0, end: int | None = None) -> list[Segment]:
    """Committed segments that hold any of the frames `[start, end)`, in frame order."""
    query = sa.select(segments).where(_C.job_id == job_id, _C.state == SegmentState.COMMITTED, _C.end_frame > start)
    if end is not None:
        query = query.where(_C.start_frame < end, sa.literal(start) < end)
    return [read(row) for row in tx.execute(query.order_by(_C.segment_index))]


def with_frame(tx: Connection, job_id: str, frame_index: int) -> Segment | None:
    """The segment that holds a frame, committed or not; None where the job has no such frame."""
    query = sa.select(segments).where(_C.job_id == job_id, _C.start_frame <= frame_index, _C.end_frame > frame_index)
    row = tx.execute(query).first()
    return None if row is None else read(row)


def count_open(tx: Connection, job_id: str) -> int:
    """How many segments of a job are not committed yet."""
    return _count(tx, _C.job_id == job_id, OPEN)


def count_left(tx: Connection, job_id: str) -> int:
    """How many segments of a job are still to be read, pending or leased, up to a thousand: more keep everybody busy."""
    return tx.execute(_COUNT_LEFT, {"of_job": job_id}).scalar_one()


def any_in(tx: Connection, job_id: str, file: str) -> bool:
    """Say whether rows that count lie in a file."""
    return _count(tx, _C.job_id == job_id, _C.outputs_file == file) > 0


def any_open(tx: Connection, job_id: str) -> bool:
    """Say whether a segment of a job is not committed yet."""
    return tx.execute(_ANY_OPEN, {"of_job": job_id}).first() is not None


def count_leased(tx: Connection, job_id: str) -> int:
    """How many segments of a job are in somebody's hands, those whose leases ran out included."""
    return _count(tx, _C.job_id == job_id, OPEN, _C.state.in_(IN_HAND))


def loop_ms(tx: Connection, job_id: str) -> float:
    """Wall time of the workers' loops over all committed segments of a job, in milliseconds."""
    return float(tx.execute(sa.select(sa.func.sum(_C.loop_ms)).where(_C.job_id == job_id)).scalar() or 0.0)


def begun(tx: Connection, job_id: str) -> bool:
    """Say whether any segment of a job was ever claimed."""
    return _count(tx, _C.job_id == job_id, _C.term > 0) > 0


def remove(tx: Connection, job_id: str) -> None:
    """Delete every segment of a job."""
    tx.execute(sa.delete(segments).where(_C.job_id == job_id))


def held(segment: Segment) -> tuple[sa.ColumnElement[bool], ...]:
    """Condition of a segment being in hand under this term."""
    return (
        _C.job_id == segment.job_id,
        _C.segment_index == segment.index,
        _C.term == segment.term,
        _C.state.in_(IN_HAND),
    )


def _release(tx: Connection, *which: sa.ColumnElement[bool]) -> int:
    before = sa.case((_C.state == SegmentState.FOLLOWING, SegmentState.AWAITING.value), else_=SegmentState.PENDING.value)
    back = sa.update(segments).where(*which, _C.state.in_(IN_HAND))
    return tx.execute(back.values(state=before, holder=None, lease_until=None)).rowcount


def _count(tx: Connection, *which: Any) -> int:
    return tx.execute(sa.select(sa.func.count()).select_from(segments).where(*which)).scalar_one()


def _values(segment: Segment) -> dict[str, Any]:
    return {
        "job_id": segment.job_id,
        "segment_index": segment.index,
        "start_frame": segment.start,
        "end_frame": segment.end,
        "pass_number": segment.pass_number,
        "planned": segment.planned,
        "state": segment.state,
        "term": segment.term,
        **columns_of(segment.rows),
    }


def read(row: Any) -> Segment:
    """A row of the table as a segment."""
    return Segment(
        job_id=row.job_id,
        index=row.segment_index,
        start=row.start_frame,
        end=row.end_frame,
        pass_number=row.pass_number,
        planned=row.planned,
        state=row.state,
        term=row.term,
        rows=rows_in(row),
    )


def rows_in(row: Any) -> RowsPlace | None:
    """Where a segment's rows lie, by a row of the table."""
    return RowsPlace(row.outputs_file, row.outputs_start or 0, row.outputs_size) if row.outputs_file else None


def columns_of(rows: RowsPlace | None) -> dict[str, Any]:
    """Where a segment's rows lie, as the table has it."""
    file, start, size = rows or (None, None, None)
    return {"outputs_file": file, "outputs_start": start, "outputs_size": size}
