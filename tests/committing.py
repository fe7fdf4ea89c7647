"""One segment committed as the engine commits several."""

from sqlalchemy.engine import Connection

from app.domain.job import RowsPlace, Segment, SegmentState
from app.store import jobs, stretches


def commit_alone(  # what a worker's answer says of a segment
    tx: Connection,
    segment: Segment,
    *,
    outputs_file: str,
    frames: int,
    loop_ms: float,
    to: SegmentState = SegmentState.COMMITTED,
) -> bool:
    """Commit a segment in hand and count its frames to the job; False: fenced, or committed before, and nothing changed."""
    finished = stretches.Finished(segment, RowsPlace(outputs_file), frames, loop_ms, to)
    if not stretches.commit(tx, segment.job_id, [finished]):
        return False
    counted = segment.end - segment.start if to is SegmentState.COMMITTED else 0
    jobs.advance(tx, jobs.get(tx, segment.job_id), counted)
    return True
