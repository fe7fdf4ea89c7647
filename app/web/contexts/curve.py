"""Small curves without axes, as points of an SVG drawing; the numbers stand beside them in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from app.domain.insight import Metrics
from app.store.spans import Span

WIDE: Final = 100.0
HIGH: Final = 24.0
_MOST_POINTS: Final = 120
_ROOM: Final = 1.1  # the highest point stays so far below the upper edge


@dataclass(frozen=True, slots=True)
class CurveView:
    """A curve in a drawing of 100 × 24; `limit` is the height of a line not to be crossed, None where there is none."""

    line: str
    area: str
    limit: float | None


NO_CURVE: Final = CurveView("", "", None)


def view_curve(values: Sequence[float], limit: float | None = None) -> CurveView:
    """Give the curve of values from 0 up, oldest first; empty with fewer than two."""
    if len(values) < 2:
        return NO_CURVE
    values = _thinned(values)
    top = max(*values, limit or 0.0, 1e-9) * _ROOM
    step = WIDE / (len(values) - 1)
    line = " ".join(f"{round(at * step, 1):g},{_height(value, top):g}" for at, value in enumerate(values))
    return CurveView(line, f"0,{HIGH:g} {line} {WIDE:g},{HIGH:g}", None if limit is None else _height(limit, top))


def speeds_of(trend: Iterable[Metrics]) -> CurveView:
    """Give the curve of frames a second."""
    return view_curve([metrics.fps for metrics in trend])


def latencies_of(trend: Iterable[Metrics]) -> CurveView:
    """Give the curve of the slowest frames' latency."""
    return view_curve([metrics.latency_ms.p95 for metrics in trend])


def latencies_of_stage(trend: Iterable[Metrics], stage: str, budget_ms: float | None) -> CurveView:
    """Give the curve of a stage's slowest frames, under the line of its budget."""
    told = [one.p95_ms for metrics in trend for one in metrics.stages if one.stage == stage]
    return view_curve(told, budget_ms or None)


def speeds_over_source(spans: Iterable[Span]) -> CurveView:
    """Give how many frames a second a worker did in each segment, in the order of the source."""
    return view_curve([1000 * span.frames / span.loop_ms for span in spans if span.committed and span.frames and span.loop_ms])


def _height(value: float, top: float) -> float:
    return round(HIGH * (1 - min(value, top) / top), 1)


def _thinned(values: Sequence[float]) -> Sequence[float]:
    """Take the mean of neighbours where there are more points than can be seen."""
    count = len(values)
    if count <= _MOST_POINTS:
        return values
    bounds = [count * at // _MOST_POINTS for at in range(_MOST_POINTS + 1)]
    return [sum(values[a:b]) / (b - a) for a, b in pairwise(bounds)]
