"""Jobs whose length shows on the way: a segment ends where it ends, and the next is laid out behind it."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.job import Segment
from app.domain.media import SourcePlan
from app.store.segments import add, held
from app.store.tables import jobs, segments


def measure(tx: Connection, job_id: str, plan: SourcePlan) -> None:
    """Store what was measured of a source when it was opened; what is known already stays."""
    known = jobs.c.plan.is_not(None)
    tx.execute(sa.update(jobs).where(jobs.c.id == job_id, ~known).values(plan=plan))


def end(tx: Connection, segment: Segment, then: Segment | None) -> bool:
    """Give a segment in hand its end, and lay out the one behind it; without one the job's length is known.

    False: it is not held by this term any more, and nothing changed.
    """
    ended = sa.update(segments).where(*held(segment)).values(end_frame=segment.end, planned=segment.planned)
    if tx.execute(ended).rowcount == 0:
        return False
    if then is None:
        set_length(tx, segment.job_id, segment.end)
    else:
        add(tx, [then])
    return True


def set_length(tx: Connection, job_id: str, frames: int) -> None:
    """Store how many frames a job has, where that was not known before."""
    tx.execute(sa.update(jobs).where(jobs.c.id == job_id, jobs.c.frames_total.is_(None)).values(frames_total=frames))
