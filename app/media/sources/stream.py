"""Addresses as sources: read on a thread, connected again when lost, and cut into segments as frames come."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from app.domain.address import read_address
from app.domain.errors import UnsupportedSource
from app.domain.media import Loss, MediaInfo, PlannedSegment, SourceRef, StreamEntry, StreamRules
from app.media.sources import DecodedFrame
from app.media.sources.connection import Arrival, Connection, CutShort, Lost, Refused
from app.media.sources.stream_times import StreamTimes
from app.media.sources.video import Upright

_SEGMENT_S: Final = 2.0
_TIMELESS_FRAMES: Final = 64  # of a segment whose frames have no times
_AHEAD: Final = 4  # frames of a file that are decoded before they are asked for
_MOST_WAITING: Final = 16  # frames that wait where they cannot be had later
_STALE_S: Final = 0.5  # what waited for so long makes room for what happens now
_BURST_S: Final = 1.0  # so long after it was opened a camera gives what had gathered before, which nobody asked for
_STEP_S: Final = 10.0  # longest that a step of a connection may take
_NAP_S: Final = 0.04
_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 8.0
_STUCK_S: Final = 60.0
_SLOW: Final = "The stages are slower than the source: frames were dropped, so that what is looked at is what happens now."
_DAMAGED: Final = "The stream came damaged; pictures may be wrong until the next whole one."


class StreamFailed(Exception):
    """Nothing came from the address, and nothing will; the sentence says why and what to do."""


class Notice(NamedTuple):
    """Something that happened to the connection, as a warning's code and message."""

    code: str
    message: str


class _Waiting(NamedTuple):
    """A decoded frame that waits to be taken: what came and when, its media time within the job, and frames passed up to it."""

    arrival: Arrival
    came: float
    t_s: float | None
    passed: int


class StreamSource:
    """An address that is read in order, once.

    A file at the other end (`live` False) is read whole: where the connection breaks, it is opened anew and what was passed is
    passed over. Of what is live, or read at its own speed, the newest frames are taken when there is no time for all.
    `notices` are what happened to the connection and was not told yet; `media` is there when the first frame is.
    """

    def __init__(self, ref: SourceRef, rules: StreamRules, entry: StreamEntry) -> None:
        self._address, self._rules, self._entry = read_address(ref.url or ""), rules, entry
        self.losses: list[Loss] = []
        self.notices: deque[Notice] = deque()
        self.media: MediaInfo | None = None
        self.over = False  # nothing comes any more, and all was taken
        self.next_index: int | None = None  # number of the frame to go on with; None before the first was asked for
        self._taken = entry
        self._upright = Upright()
        self._turn = threading.Condition()
        self._waiting: deque[_Waiting] = deque()
        self._drops, self._dropped, self._behind = rules.realtime, 0, False
        self._passed, self._last_t_s, self._epoch_s = entry.passed, entry.t_s, entry.epoch_s
        self._ended = self._closed = False
        self._failure = ""
        self._busy_since = self._heard_at = time.monotonic()
        threading.Thread(target=self._keep_reading, name="stream", daemon=True).start()

    @property
    def stuck(self) -> bool:
        """Say whether the decoder holds on to a step for far longer than it may."""
        return time.monotonic() - self._busy_since > _STUCK_S

    @property
    def reach(self) -> StreamEntry:
        """Where to go on behind the frame taken last."""
        return self._taken

    def frames(
        self, planned: PlannedSegment, first: int, idle: Callable[[], None], hurried: Callable[[], bool]
    ) -> Iterator[DecodedFrame]:
        """Yield frames from number `first` on, to the segment's end: after about two seconds, or at once where `hurried`.

        `idle` is called again and again while none comes. Raises StreamFailed.
        """
        self.losses = []
        index, began, start_s = first, time.monotonic(), None
        self.next_index = first
        while index < planned.end and not hurried():
            waiting = self._next(idle, hurried, until=began + _SEGMENT_S if index > planned.start else math.inf)
            if waiting is None:
                return
            self._note_losses(index, waiting.arrival)
            if start_s is None:
                began, start_s = time.monotonic(), waiting.t_s
            self._taken = StreamEntry(waiting.passed, waiting.t_s or 0.0, self._epoch_s)
            self.next_index = index + 1
            yield DecodedFrame(self._upright.pixels(waiting.arrival.frame), index, waiting.t_s)
            index += 1
            if waiting.t_s is None or start_s is None:
                if index - planned.start >= _TIMELESS_FRAMES:
                    return
            elif waiting.t_s - start_s >= _SEGMENT_S or (self._drops and time.monotonic() - began >= _SEGMENT_S):
                return

    def close(self) -> None:
        """Hang up, as soon as the step in hand is done."""
        with self._turn:
            self._closed = True
            self._waiting.clear()
            self._turn.notify_all()

    def _next(self, idle: Callable[[], None], hurried: Callable[[], bool], until: float) -> _Waiting | None:
        while True:
            with self._turn:
                if not self._waiting and not self._ended:
                    self._turn.wait(_NAP_S)
                if self._waiting:
                    self._keep_up()
                    waiting = self._waiting.popleft()
                    self.over = self._ended and not self._waiting
                    self._turn.notify_all()
                    return waiting
                if self._ended:
                    self.over = True
                    if self._failure:
                        raise StreamFailed(self._failure)
                    return None
            idle()
            if hurried() or time.monotonic() >= until:
                return None

    def _keep_up(self) -> None:
        """Let go of what waited too long; once behind, take the newest until there is time for all again."""
        late = time.monotonic() - self._waiting[0].came > _STALE_S
        self._behind = self._drops and (late or (self._behind and len(self._waiting) > 1))
        if self._behind:
            self._dropped += len(self._waiting) - 1
            self._waiting = deque((self._waiting[-1],))

    def _note_losses(self, index: int, arrival: Arrival) -> None:
        with self._turn:
            dropped, self._dropped = self._dropped, 0
        if dropped:
            self.losses.append(Loss("frames_dropped", index, dropped, _SLOW))
        if arrival.doubtful:
            self.losses.append(Loss("pictures_doubtful", index, 1, _DAMAGED))

    # What follows runs on the thread.

    def _keep_reading(self) -> None:
        pause_s, before, lost, cut_short = _FIRST_PAUSE_S, self._passed, False, False
        while not self._closed:
            reason = ""
            try:
                self._read(lost=lost)
                self._end()
                return
            except UnsupportedSource as refused:
                self._end(str(refused))
                return
            except (Refused, Lost) as error:
                reason = str(error).rstrip(".")
                if isinstance(error, Refused) and not self._passed:
                    self._end(f"{reason}.")
                    return
                if isinstance(error, CutShort) and cut_short and self._passed == before:
                    self._end(f"{reason} each time")
                    return
                cut_short = isinstance(error, CutShort)
            if self._passed > before:
                self.notices.append(Notice("source_lost", f"The connection to the source was lost: {reason}."))
                pause_s, before, lost = _FIRST_PAUSE_S, self._passed, True
            if time.monotonic() - self._heard_at + pause_s > self._rules.patience_s:
                self._end(self._in_vain(reason))
                return
            self._rest_until(time.monotonic() + pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _read(self, *, lost: bool) -> None:
        """Connect and read to the end; raises UnsupportedSource, Refused or Lost."""
        self._busy_since = time.monotonic()
        step_s = max(0.1, min(_STEP_S, self._rules.patience_s))
        connection = Connection(self._address, allow_private=self._rules.allow_private, timeout_s=step_s)
        self._drops = connection.live or self._rules.realtime
        timing = StreamTimes(connection.live, self._rules.realtime, self._epoch_s, self._last_t_s)
        try:
            for number, arrival in enumerate(connection.arrivals(), 1):
                self._busy_since = time.monotonic()
                if self._closed:
                    return
                if not connection.live and number <= self._passed:
                    continue
                if self.media is None:
                    self.media = connection.measured(arrival.frame)
                if lost:
                    self.notices.append(Notice("reconnected", "The source came back after it was lost."))
                    lost = False
                t_s, due = timing.of(arrival)
                self._epoch_s = timing.epoch_s
                self._rest_until(due)
                self._put(arrival, t_s, burst=connection.live and time.monotonic() - timing.opened < _BURST_S)
                self._heard_at = self._busy_since = time.monotonic()
        finally:
            connection.close()

    def _put(self, arrival: Arrival, t_s: float | None, *, burst: bool) -> None:
        with self._turn:
            if self._drops and len(self._waiting) >= _MOST_WAITING:
                self._dropped += 0 if burst else len(self._waiting)
                self._behind = True
                self._waiting.clear()
            while not self._drops and len(self._waiting) >= _AHEAD and not self._closed:
                self._turn.wait()
            self._passed += 1
            self._last_t_s = t_s or 0.0
            self._waiting.append(_Waiting(arrival, time.monotonic(), t_s, self._passed))
            self._turn.notify_all()

    def _rest_until(self, due: float) -> None:
        with self._turn:
            while not self._closed and (left := due - time.monotonic()) > 0:
                self._turn.wait(min(left, 1.0))
                self._busy_since = time.monotonic()

    def _end(self, failure: str = "") -> None:
        with self._turn:
            if not self._passed:
                self._failure = failure or f"{self._address.shown} ended before a picture came."
            elif failure:
                self.notices.append(Notice("source_gone", f"{failure.rstrip('.')}; the job ends with what it has."))
            self._ended = True
            self._turn.notify_all()

    def _in_vain(self, reason: str) -> str:
        tried = f"it was tried for {self._rules.patience_s:g} s (SIGHTLINE_SOURCE_PATIENCE_S)"
        if self._passed:
            return f"The source did not come back: {reason}; {tried}"
        cure = "Check the address, and that it can be reached from this machine, then retry the job."
        return f"{self._address.shown} could not be read: {reason}; {tried}. {cure}"
