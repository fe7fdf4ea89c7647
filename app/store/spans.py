"""How the segments of a job stand, without what it takes to decode them: for maps and timelines of long jobs."""

from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.job import RowsPlace, SegmentState
from app.store.segments import rows_in
from app.store.tables import segments

_C: Final = segments.c
_SPANS: Final = (
    sa.select(
        _C.start_frame,
        _C.end_frame,
        _C.state,
        _C.term,
        _C.outputs_file,
        _C.outputs_start,
        _C.outputs_size,
        _C.frames,
        _C.loop_ms,
    )
    .where(_C.job_id == sa.bindparam("of_job"))
    .order_by(_C.segment_index)
)


class Span(NamedTuple):
    """Frames `[start, end)` of one segment and how it stands.

    `begun` says that somebody once claimed it; `frames` and `loop_ms` are how many frames were read and how long a worker's
    loop took for them, None before it was handed in.
    """

    start: int
    end: int
    state: SegmentState
    begun: bool
    rows: RowsPlace | None
    frames: int | None
    loop_ms: float | None

    @property
    def committed(self) -> bool:
        """Say whether its rows can be read."""
        return self.state is SegmentState.COMMITTED


def of_job(tx: Connection, job_id: str) -> list[Span]:
    """Every segment of a job, in frame order."""
    rows = tx.execute(_SPANS, {"of_job": job_id})
    return [Span(r.start_frame, r.end_frame, r.state, r.term > 0, rows_in(r), r.frames, r.loop_ms) for r in rows]
