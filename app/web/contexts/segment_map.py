"""The map of a job's segments: which parts are done, in hand, failed or waiting, drawn to the scale of its frames."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from app.domain.job import JobStatus, SegmentState
from app.store.spans import Span
from app.web.contexts.words import number

MOST_PARTS: Final = 240  # more would be finer than a screen shows
WIDE: Final = 1000
_LOOK_MS: Final = 4  # a map of many segments is asked for less often, for each costs a look
STANDINGS: Final = {  # how a segment stands, as a word; what comes first wins where many share a part of the map
    "failed": "failed",
    "running": "in hand",
    "troubled": "done with failed frames",
    "awaiting": "waiting for trackers and counters",
    "left": "not done",
    "waiting": "waiting",
    "done": "done",
}
_LEGEND: Final = ("done", "troubled", "failed", "running", "awaiting", "waiting", "left")
_PLACES: Final = {"waiting": (35, 30), "left": (35, 30), "awaiting": (15, 70)}  # top and height: not by colour alone


class MapPart(NamedTuple):
    """A rectangle of the map: place and size in a drawing of 1000 × 100, and how its segments stand."""

    x: float
    width: float
    y: int
    height: int
    standing: str


class Standing(NamedTuple):
    """A line of the map's legend."""

    standing: str
    word: str
    number: str


@dataclass(frozen=True, slots=True)
class SegmentMapView:
    """The map with its legend; `label` says all of it in one sentence, `refresh_ms` how often a live page asks."""

    parts: tuple[MapPart, ...]
    legend: tuple[Standing, ...]
    total: int
    label: str
    refresh_ms: int


def view_segments(status: JobStatus, spans: Sequence[Span], failed_frames: Sequence[int] = ()) -> SegmentMapView:
    """Give the map; `failed_frames`, rising, are those on which a stage gave nothing."""
    stands = [standing_of(status, span, failed_frames) for span in spans]
    counted = Counter(stands)
    legend = tuple(Standing(name, STANDINGS[name], number(counted[name])) for name in _LEGEND if counted[name])
    told = ", ".join(f"{entry.number} {entry.word}" for entry in legend)
    return SegmentMapView(
        parts=tuple(_parts(spans, stands)),
        legend=legend,
        total=len(spans),
        label=f"Map of {number(len(spans))} segments: {told}" if spans else "No segments yet",
        refresh_ms=max(1000, _LOOK_MS * len(spans)),
    )


def standing_of(status: JobStatus, span: Span, failed_frames: Sequence[int]) -> str:
    """Say how a segment stands, as one of `STANDINGS`."""
    if span.committed:
        first = bisect_left(failed_frames, span.start)
        return "troubled" if first < len(failed_frames) and failed_frames[first] < span.end else "done"
    if status.ended:
        return "failed" if status is JobStatus.FAILED and span.begun else "left"
    if span.state in {SegmentState.LEASED, SegmentState.FOLLOWING}:
        return "running"
    return "awaiting" if span.state is SegmentState.AWAITING else "waiting"


def _parts(spans: Sequence[Span], stands: Sequence[str]) -> list[MapPart]:
    """Draw each segment, or where they are many each part of the map as the worst of those in it."""
    if not spans:
        return []
    whole = max(1, spans[-1].end)
    step = -(-len(spans) // MOST_PARTS)
    ranks = {name: rank for rank, name in enumerate(STANDINGS)}
    parts = []
    for first in range(0, len(spans), step):
        last = min(first + step, len(spans)) - 1
        standing = min(stands[first : last + 1], key=ranks.__getitem__)
        left, right = WIDE * spans[first].start / whole, WIDE * spans[last].end / whole
        gap = min(3.0, (right - left) / 6) if last + 1 < len(spans) else 0.0
        y, height = _PLACES.get(standing, (0, 100))
        parts.append(MapPart(round(left, 2), round(right - left - gap, 2), y, height, standing))
    return parts
