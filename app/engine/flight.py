"""A segment in flight: in whose hands it is, how far it has come, and what it brought; and where it comes down."""

import asyncio
from dataclasses import dataclass, field

from app.domain.job import Segment
from app.domain.timing import Histogram
from app.engine.checkup import Counts
from app.engine.messages import SegmentDone
from app.engine.salvage import Kept


@dataclass(slots=True)
class Shared:
    """A file of rows that the segments of a stretch share: how many are still in flight, and whether any rows in it count."""

    name: str
    left: int
    counts: bool = False


@dataclass(slots=True)
class Flight:
    """A segment in the hands of a worker: `follows` says that its followers go over it, `replay_from` what they saw again."""

    segment: Segment
    worker: int
    renewed_at: float
    follows: bool = False
    shared: Shared | None = None
    replay_from: int = 0
    kept: Kept | None = None  # what lost workers had finished of it
    frames: int = 0
    rows: dict[str, Histogram] = field(default_factory=dict)
    counts: Counts = field(default_factory=dict)
    dropped_at: float | None = None
    landed: bool = False  # its worker is done with it; it is to be committed
    hurried: bool = False

    @property
    def handled(self) -> int:
        """Frames that are done, by this worker or by those before it."""
        done = self.frames + (self.kept.frames if self.kept else 0)
        planned = self.segment.planned
        return min(done, (self.segment if planned.stream is None else planned).end - self.segment.start)


@dataclass(slots=True, eq=False)
class Landing:
    """A flight that came down: all that is finished of its segment, and its commit once that has begun."""

    flight: Flight
    done: SegmentDone
    then: Segment | None = None  # what is laid out behind the segment of an address
    settling: asyncio.Future[str | None] | None = None  # what the commit leads to: why the job cannot go on, if it cannot


class Strip:
    """Where a job's flights come down: whoever has the turn commits all that wait, at once where there is a hurry."""

    def __init__(self) -> None:
        self.waiting: list[Landing] = []
        self.turn = asyncio.Lock()
        self.hurry = asyncio.Event()
