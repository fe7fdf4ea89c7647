"""How fast a job has gone over the last moments: frames a second and latencies, from the workers' beats."""

from collections import deque
from collections.abc import Iterable
from typing import Final

from app.domain.timing import Histogram
from app.engine.messages import StageTally

_WINDOW_S: Final = 3.0


class Speed:
    """A sliding window over what the workers gathered."""

    def __init__(self) -> None:
        self._window: deque[tuple[float, int, dict[str, Histogram]]] = deque()
        self._began: float | None = None

    def add(self, now: float, frames: int, rows: dict[str, Histogram]) -> None:
        """Take in frames handled and durations gathered since the last call; `now` in seconds."""
        if self._began is None:
            self._began = now
        self._window.append((now, frames, rows))
        while self._window and now - self._window[0][0] > _WINDOW_S:
            self._window.popleft()

    def read(self, now: float) -> tuple[float, dict[str, Histogram]]:
        """Frames a second over the window, and the window's durations by row."""
        recent = [(frames, rows) for at, frames, rows in self._window if now - at <= _WINDOW_S]
        merged: dict[str, Histogram] = {}
        for _, rows in recent:
            for row, histogram in rows.items():
                merged.setdefault(row, Histogram()).merge(histogram)
        span = min(_WINDOW_S, max(now - (self._began or now), 0.25))
        return round(sum(frames for frames, _ in recent) / span, 2), merged


def histograms(tallies: Iterable[StageTally]) -> dict[str, Histogram]:
    """The tallies' histograms by row."""
    return {t.row: Histogram(dict(t.buckets), t.count, t.total_us, t.max_us) for t in tallies}


def gathered_since(now: dict[str, Histogram], earlier: dict[str, Histogram]) -> dict[str, Histogram]:
    """What each row gathered after `earlier` was taken."""
    return {row: histogram.since(earlier.get(row, Histogram())) for row, histogram in now.items()}
