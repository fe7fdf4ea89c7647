"""One connection of the feed: a filter and a cursor, what it has cost so far, and its way from hello to the end."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Protocol

from app.domain.insight import Close
from app.insights import sending
from app.insights.opening import Opening, Start
from app.insights.topic import Topic

Write = Callable[[bytes], Coroutine[Any, Any, None]]


class Host(Protocol):
    """What a subscription asks of the hub it belongs to."""

    async def begin(self, topic: Topic) -> Start:
        """Give this moment of the feed."""

    def awake(self, subscription: "Subscription") -> None:
        """Serve the subscription with the next pass."""

    def leave(self, subscription: "Subscription") -> None:
        """Forget the subscription."""


class Subscription:
    """A subscriber: a filter (its topic) and a cursor.

    `messages()` gives what only it can tell: the opening, what follows a gap, and the farewell. All between is written by
    the hub's pass (`serve`) through `attach`ed `write`, in whole messages; the two never write at the same time.
    """

    def __init__(self, topic: Topic, opening: Opening, host: Host, *, resume_from: int | None, rewind: int | None) -> None:
        loop = asyncio.get_running_loop()
        self.topic = topic
        self.opened_at = datetime.now(UTC)
        self.cursor = topic.position()
        self.delivered = 0  # facts and latest values written, without those of openings
        self.conflated = 0  # latest values that a newer one replaced before this subscriber took them
        self.dropped = 0  # facts lost to a gap
        self.bytes_sent = 0
        self._opening, self._host, self._loop = opening, host, loop
        self._resume_from, self._rewind = resume_from, rewind
        self._write: Write | None = None
        self._unsent: Callable[[], int] | None = None
        self._cut: Callable[[], object] | None = None
        self._recalled: asyncio.Future[None] | None = None  # while the pass may write
        self._rest: asyncio.Task[None] | None = None  # of a write that the socket did not take at once
        self._wrote_at = self._took_at = loop.time()
        self._left_over = 0  # bytes not taken yet, when last looked at
        self._telling = False  # while a chunk of `messages()` is on its way
        self._farewell: str | None = None

    def attach(self, write: Write, *, unsent: Callable[[], int] | None = None, cut: Callable[[], object] | None = None) -> None:
        """Say how the pass writes bytes; what `unsent` says is not taken yet; and what `cut` ends the connection at once."""
        self._write, self._unsent, self._cut = write, unsent, cut

    @property
    def busy(self) -> bool:
        """Whether bytes are on their way that the other side has not taken."""
        return self._rest is not None or self._telling

    @property
    def pending_facts(self) -> int:
        """Facts it is to get and has not."""
        return self.topic.position().facts - self.cursor.facts

    @property
    def lag_ms(self) -> float:
        """For how long it has taken nothing of what is on its way to it, in milliseconds; 0 while it keeps up."""
        return max(0.0, round((self._loop.time() - self._took_at) * 1000, 1)) if self.busy else 0.0

    def leave(self) -> None:
        """Stop being a subscriber; leaving twice is allowed."""
        if self._rest is not None:
            self._rest.cancel()
        self._host.leave(self)

    def end(self, reason: str) -> None:
        """Have the stream end with `close` and this reason, as soon as what is on its way is taken."""
        self._farewell = self._farewell or reason
        self.serve(self._loop.time())

    def cut(self) -> None:
        """End the connection at once, whatever is on its way."""
        if self._cut is not None:
            self._cut()

    async def messages(self) -> AsyncGenerator[bytes, None]:
        """Give the chunks that the hub's pass does not write, from hello to the farewell."""
        start = await self._host.begin(self.topic)
        told = self._opening.first(start, self._resume_from, self._rewind)
        while True:
            async with aclosing(told) as chunks:
                async for chunk in chunks:
                    self._tell(chunk)
                    yield chunk
                    self._telling = False
            self.cursor = start.position
            while (reason := await self._be_served()) is None and self.topic.covers(self.cursor):
                pass  # called back for the end of a job that was retried meanwhile
            if reason is not None:
                break
            start = await self._host.begin(self.topic)
            self.dropped += start.position.facts - self.cursor.facts
            told = self._opening.after_gap(self.cursor, start)
        last = self.topic.channel.message(Close(at=datetime.now(UTC), reason=reason))
        self._tell(last)
        yield last
        self._telling = False

    def serve(self, now: float) -> None:
        """Write what is pending, and call `messages()` back for what only it can tell; leave one alone who is busy."""
        recalled, cursor, newest = self._recalled, self.cursor, self.topic.position()
        if recalled is None or self._rest is not None or recalled.done():
            return
        if cursor.seq != newest.seq:
            if not self.topic.covers(cursor):
                recalled.set_result(None)
                return
            batch = self.topic.since(cursor)
            self.conflated += newest.values - cursor.values - batch.values
            self.delivered += batch.facts + batch.values
            self.cursor = newest if newest.head >= cursor.head else newest._replace(head=cursor.head)
            if batch.data:
                self._put(batch.data, now)
        if self._rest is None and self._over() is not None and not recalled.done():
            recalled.set_result(None)

    def look_after(self, now: float, *, heartbeat: bytes, idle_s: float, patience_s: float) -> None:
        """Keep a quiet connection open, and cut one whose socket has taken nothing for too long."""
        if self.busy:
            if self._unsent is not None:
                before, self._left_over = self._left_over, self._unsent()
                self._took_at = now if self._left_over < before else self._took_at
            if now - self._took_at >= patience_s:
                self.cut()
        elif self._recalled is not None and now - self._wrote_at >= idle_s:
            self._put(heartbeat, now)

    async def _be_served(self) -> str | None:
        """Let the pass write until it calls back; give the reason where it is for the end."""
        self._recalled = self._loop.create_future()
        self.serve(self._loop.time())
        try:
            await self._recalled
        finally:
            self._recalled = None
        return self._over()

    def _over(self) -> str | None:
        """Say why the stream is to end: the server's reason, or how the one job asked for ended."""
        status = self.topic.status or self._opening.status  # what the topic heard is newer than what the log had
        ended = status.value if status is not None and status.ended else None
        return ended if ended is not None and self.cursor.seq == self.topic.position().seq else self._farewell

    def _tell(self, chunk: bytes) -> None:
        self._telling = True
        self._note(chunk, self._loop.time())

    def _put(self, data: bytes, now: float) -> None:
        if self._write is None:
            return
        self._note(data, now)
        try:
            self._rest = sending.begin(self._write(data))
        except (OSError, RuntimeError):  # whatever the server says of a connection that is gone
            self.cut()
            return
        if self._rest is not None:
            self._rest.add_done_callback(self._taken)

    def _note(self, data: bytes, now: float) -> None:
        self._wrote_at = self._took_at = now
        self._left_over = len(data)
        self.bytes_sent += len(data)

    def _taken(self, rest: asyncio.Task[None]) -> None:
        self._rest = None
        if rest.cancelled():
            return
        if rest.exception() is not None:
            self.cut()
            return
        self._host.awake(self)
