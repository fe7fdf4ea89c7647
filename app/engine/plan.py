"""From a source's plan to a job's segments: the plan once for each pass over the source, or an address bit by bit."""

from dataclasses import replace
from typing import Final

import msgspec

from app.domain.job import Segment
from app.domain.media import PlannedSegment, SourcePlan, StreamEntry
from app.engine.messages import Reach

MOST_FRAMES: Final = 1024  # of one segment of an address


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


def plan_open(job_id: str) -> Segment:
    """Lay out the first segment of a job on an address."""
    return _open_at(job_id, 0, 0, 1, StreamEntry())


def ended_at(segment: Segment, reach: Reach) -> tuple[Segment, Segment | None]:
    """Give a segment of an address with its true end, and the one to go on with; None where the source has ended."""
    ended = replace(segment, end=reach.end, planned=msgspec.structs.replace(segment.planned, end=reach.end))
    if reach.last:
        return ended, None
    return ended, _open_at(segment.job_id, segment.index + 1, reach.end, reach.end - segment.start, reach.then)


def _open_at(job_id: str, index: int, start: int, likely: int, entry: StreamEntry) -> Segment:
    """A segment whose end is only guessed: as `likely` as the one before was long, and planned as long as it may get."""
    planned = PlannedSegment(start, start + MOST_FRAMES, stream=entry)
    return Segment(job_id, index, start, start + max(1, likely), 0, planned)
