"""How following a feed survives a cut: what to ask on the next connection, and when to make it. It does no I/O."""

import random
import time
from http import HTTPStatus
from typing import Final

import httpx
from httpx_sse import ServerSentEvent

from app.client.asks import BUSY, decoder_of, read_json, refusal, unreachable
from app.domain.insight import BY_TYPE, FACT_TYPES, Close, Gap, Hello, Insight
from app.domain.job import ENDED

RETRY_S: Final = 1.0  # until the server says otherwise (`retry:`)
LONGEST_S: Final = 30.0
SILENCE_S: Final = 45.0  # three heartbeats: a connection that says nothing for so long is dead
_DECODERS: Final = {name: decoder_of(kind) for name, kind in BY_TYPE.items()}
TIMEOUT: Final = httpx.Timeout(10.0, read=SILENCE_S)


class Place:
    """Where a feed is: `last_id` is the number to resume from, `fact_id` the number of the insight just taken.

    `over` says that nothing more comes, `closed` with which reason, where it was told. Facts of a snapshot carry no number:
    until the first message after it, a cut connection is asked for the snapshot again, and what was told of it already is
    left out. `patience_s` is how long to go on without a connection, None for ever; a server must answer the first time.
    """

    def __init__(self, last_event_id: int | None, patience_s: float | None) -> None:
        self.last_id = last_event_id
        self.fact_id: int | None = None
        self.over = False
        self.closed: str | None = None
        self.connected = False
        self._head: int | None = None  # of this connection, while its opening is not over
        self._told: set[Insight] = set()
        self._patience_s = patience_s
        self._answered = False
        self._lost_at = time.monotonic()
        self._retry_s = RETRY_S
        self._retry_after_s = 0.0
        self._failures = 0

    @property
    def headers(self) -> dict[str, str]:
        """Headers that ask for what was not told yet."""
        return {} if self.last_id is None else {"Last-Event-ID": str(self.last_id)}

    def admit(self, response: httpx.Response) -> bool:
        """Say whether an answer is a feed to be read; raise ServerRefused where asking again is of no use."""
        self._answered = True
        self.over = response.status_code == HTTPStatus.NO_CONTENT
        if response.status_code in BUSY:
            after = response.headers.get("retry-after", "")
            self._retry_after_s = float(after) if after.isdigit() else 0.0
        elif not response.is_success:
            raise refusal(response)
        return response.status_code == HTTPStatus.OK

    def take(self, event: ServerSentEvent) -> Insight | None:
        """Take in a message; give its insight, or None for what is not for the reader. Raise UnreadableAnswer."""
        if event.retry is not None:
            self._retry_s = event.retry / 1000
        self.fact_id = None
        decoder = _DECODERS.get(event.event)
        if decoder is None or not event.data:  # a type that only a newer server knows
            return None
        insight: Insight = read_json(event.data, decoder)
        if isinstance(insight, Hello):
            self._head, self._failures, self.connected = insight.head, 0, True
            self.last_id = insight.resumed_from if self.last_id is None else self.last_id  # told after a rewind
        elif isinstance(insight, Close):
            if insight.reason not in ENDED:  # the end of the server, not of the job
                return None
            self.over, self.closed, self.connected = True, insight.reason, False
        elif insight.snapshot:
            return self._take_snapshot(insight)
        elif insight.type in FACT_TYPES:
            self._take_fact(int(event.id))
        elif not isinstance(insight, Gap):
            self._end_opening()
        return insight

    def lost(self, cut: httpx.TransportError, url: httpx.URL) -> float:
        """Note that there is no connection; give the seconds to wait before the next. Raise ServerUnreachable to give up."""
        now = time.monotonic()
        if self.connected:
            self._lost_at = now
        self.connected, self._head = False, None
        if not self._answered or (self._patience_s is not None and now - self._lost_at >= self._patience_s):
            raise unreachable(cut, url)
        self._failures += 1
        wait = max(self._retry_after_s, min(LONGEST_S, self._retry_s * 2.0 ** min(self._failures - 1, 16)))
        self._retry_after_s = 0.0
        return wait * random.uniform(1.0, 1.5)  # noqa: S311  no secret: it keeps many clients from coming back at once

    def _take_snapshot(self, insight: Insight) -> Insight | None:
        if insight.type not in FACT_TYPES:
            return insight
        if insight in self._told:
            return None
        if self._head is not None:
            self._told.add(insight)
        return insight

    def _take_fact(self, number: int) -> None:
        self.fact_id = self.last_id = number
        if self._head is not None and number > self._head:
            self._end_opening()

    def _end_opening(self) -> None:
        if self._head is not None:
            self.last_id = max(self._head, self.last_id or 0)
            self._head = None
            self._told.clear()
