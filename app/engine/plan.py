"""From a source's plan to a job's segments: the plan once for each pass over the source."""

from app.domain.job import Segment
from app.domain.media import SourcePlan


def plan_job(job_id: str, plan: SourcePlan, loop: int = 1) -> tuple[Segment, ...]:
    """Lay out a job's segments in frame order; a looped source goes on counting frames pass after pass."""
    frames = plan.segments[-1].end if plan.segments else 0
    segments: list[Segment] = []
    for number in range(loop):
        offset = number * frames
        for planned in plan.segments:
            start, end = offset + planned.start, offset + planned.end
            segments.append(Segment(job_id, len(segments), start, end, number, planned))
    return tuple(segments)
