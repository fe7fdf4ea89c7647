"""Media times of what comes from an address: across connections, and when a frame is due that is read at its own speed."""

import time
from typing import Final

from app.media.sources.connection import Arrival

_LEAST_S: Final = 0.001  # what a live frame is at least later than the one before


class StreamTimes:
    """Media times within the job for the frames of one connection, and when each is due (0: at once)."""

    def __init__(self, live: bool, realtime: bool, epoch_s: float | None, last_t_s: float) -> None:
        self.opened, self.epoch_s = time.monotonic(), epoch_s
        self._live, self._realtime, self._last_s = live, realtime, last_t_s
        self._origin: float | None = None  # second of the clock at which frame 0 of a paced file was due
        self._base_s: float | None = None  # media time of the connection's first frame

    def of(self, arrival: Arrival) -> tuple[float | None, float]:
        """Give a frame's media time (None: it has none), and the second of the monotonic clock at which it is due."""
        if not self._live:
            return self._of_file(arrival.t_s)
        now = time.monotonic()
        if self._base_s is None:
            self.opened, self._base_s = now, 0.0 if self.epoch_s is None else time.time() - self.epoch_s
            if self.epoch_s is None:
                self.epoch_s, self._last_s = time.time(), -_LEAST_S
        since_s = now - self.opened if arrival.t_s is None else arrival.t_s
        self._last_s = max(self._base_s + since_s, self._last_s + _LEAST_S)
        return round(self._last_s, 6), 0.0

    def _of_file(self, t_s: float | None) -> tuple[float | None, float]:
        if self.epoch_s is None:
            self.epoch_s = time.time()
        if t_s is None:
            return None, 0.0
        if self._origin is None:
            self._origin = time.monotonic() - t_s
        return round(t_s, 6), self._origin + t_s if self._realtime else 0.0
