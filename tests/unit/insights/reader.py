"""What the tests of the feed share: insights to publish, and a subscriber that reads in the background."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Self

from app.domain.insight import Progress, Status, Usage, Warned
from app.domain.job import JobStatus
from app.insights.filter import Filter
from app.insights.hub import Hub
from app.insights.subscription import Subscription
from tests.sse import Event, Parser

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PATIENCE_S = 60


def status(job_id: str, now: JobStatus, previous: JobStatus | None = None) -> Status:
    """Build a status fact."""
    return Status(at=NOON, job_id=job_id, status=now, previous=previous, reason=None)


def warning(job_id: str, count: int = 1) -> Warned:
    """Build a warning fact, told apart by its count."""
    return Warned(at=NOON, job_id=job_id, code="exception", stage="hog", frame_index=3, message="no", count=count)


def progress(job_id: str, done: int, elapsed_s: float = 1.5) -> Progress:
    """Build a latest value, told apart by the frames done."""
    per_cent = min(done, 100)
    return Progress(
        at=NOON, job_id=job_id, progress=per_cent, frames_done=done, frames_total=None, elapsed_s=elapsed_s, eta_s=None
    )


def usage(cpu_percent: float) -> Usage:
    """Build a latest value of no job."""
    return Usage(at=NOON, cpu_percent=cpu_percent, memory_mb=100.0, workers=(), gpus=())


def of(*jobs: str, types: str = "", max_rate: float | None = None, channel: str = "json") -> Filter:
    """Build a filter as a query would: no jobs are all jobs, no types all types."""
    return Filter(channel, frozenset(jobs) or None, frozenset(types.split(",")) if types else None, max_rate)


def brief(events: list[Event]) -> list[str]:
    """Put events into words that are easy to compare: `#7 status`, `~progress` for a snapshot, `close`."""
    return [f"{'~' * event.snapshot}{event.type}" if event.id is None else f"#{event.id} {event.type}" for event in events]


class Reader:
    """A subscriber that reads all it is given, as a response does; use it as `async with`. `stall()` and it takes nothing."""

    def __init__(self, hub: Hub, wanted: Filter, last_event_id: int | None = None, rewind: int | None = None) -> None:
        self.subscription: Subscription = hub.subscribe(wanted, last_event_id=last_event_id, rewind=rewind)
        self.subscription.attach(self._take, cut=self._cut)
        self.events: list[Event] = []
        self.chunks: list[bytes] = []
        self.parser = Parser()
        self.done = False
        self.was_cut = False
        self._more = asyncio.Event()
        self._takes = asyncio.Event()
        self._takes.set()
        self._task = asyncio.create_task(self._read())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    def stall(self) -> None:
        """Take nothing from now on; the write that comes next does not end."""
        self._takes.clear()

    def go_on(self) -> None:
        """Take again."""
        self._takes.set()

    async def leave(self) -> None:
        """Go away, in the middle of whatever it is."""
        self._task.cancel()
        try:
            await self._task
        except asyncio.CancelledError:
            pass
        finally:
            self.subscription.leave()

    async def until(self, *types: str) -> list[str]:
        """Wait until the newest events are of these types; give all events in brief."""
        async with asyncio.timeout(PATIENCE_S):
            while [event.type for event in self.events[-len(types) :]] != list(types):
                assert not self.done, f"ended with {brief(self.events)}"
                self._more.clear()
                await self._more.wait()
        return brief(self.events)

    async def had(self, wanted: Callable[[Event], bool]) -> None:
        """Wait until an event of this kind has come, whatever came after it."""
        async with asyncio.timeout(PATIENCE_S):
            while not any(map(wanted, self.events)):
                assert not self.done, f"ended with {brief(self.events)}"
                self._more.clear()
                await self._more.wait()

    async def finish(self) -> list[str]:
        """Wait for the end of the stream; give all events in brief."""
        async with asyncio.timeout(PATIENCE_S):
            await self._task
        assert self.parser.complete
        return brief(self.events)

    @property
    def last_id(self) -> int | None:
        """The number a client would resume from."""
        return next((event.id for event in reversed(self.events) if event.id is not None), None)

    async def _take(self, chunk: bytes) -> None:
        if not self._takes.is_set():
            await self._takes.wait()
        self.chunks.append(chunk)
        self.events += self.parser.feed(chunk)
        self._more.set()

    def _cut(self) -> None:
        self.was_cut = True
        self._task.cancel()

    async def _read(self) -> None:
        messages = self.subscription.messages()
        try:
            async for chunk in messages:
                await self._take(chunk)
        finally:
            self.done = True
            self._more.set()
            await messages.aclose()
            self.subscription.leave()
