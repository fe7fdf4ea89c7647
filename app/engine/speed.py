"""How fast a job has gone over the last moments: frames a second and latencies, from the workers' beats."""

from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Final

from app.domain.timing import Histogram
from app.engine.messages import StageTally

_WINDOW_S: Final = 3.0
_MOMENT_S: Final = 0.1  # what comes in within this time is added up: short segments come in by the hundred


class _Moment:
    """What came in within a moment."""

    def __init__(self, at: float) -> None:
        self.at, self.frames = at, 0
        self.rows: defaultdict[str, Histogram] = defaultdict(Histogram)


class Speed:
    """A sliding window over what the workers gathered."""

    def __init__(self) -> None:
        self._window: deque[_Moment] = deque()
        self._began: float | None = None

    def add(self, now: float, frames: int, rows: dict[str, Histogram]) -> None:
        """Take in frames handled and durations gathered since the last call; `now` in seconds."""
        if self._began is None:
            self._began = now
        if not self._window or now - self._window[-1].at >= _MOMENT_S:
            self._window.append(_Moment(now))
        moment = self._window[-1]
        moment.frames += frames
        for row, histogram in rows.items():
            moment.rows[row].merge(histogram)
        while now - self._window[0].at > _WINDOW_S:
            self._window.popleft()

    def read(self, now: float) -> tuple[float, dict[str, Histogram]]:
        """Frames a second over the window, and the window's durations by row."""
        recent = [moment for moment in self._window if now - moment.at <= _WINDOW_S]
        merged: defaultdict[str, Histogram] = defaultdict(Histogram)
        for moment in recent:
            for row, histogram in moment.rows.items():
                merged[row].merge(histogram)
        span = min(_WINDOW_S, max(now - (self._began or now), 0.25))
        return round(sum(moment.frames for moment in recent) / span, 2), dict(merged)


def histograms(tallies: Iterable[StageTally]) -> dict[str, Histogram]:
    """The histograms of those rows that gathered anything."""
    return {t.row: Histogram(dict(t.buckets), t.count, t.total_us, t.max_us) for t in tallies if t.count}


def gathered_since(now: dict[str, Histogram], earlier: dict[str, Histogram]) -> dict[str, Histogram]:
    """What each row gathered after `earlier` was taken."""
    if not earlier:
        return now
    return {row: histogram.since(earlier.get(row, Histogram())) for row, histogram in now.items()}
