"""One connection of the feed: its opening (hello, then a snapshot or what it missed), its live part, and its end."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime

from app.domain.insight import Close, Gap, Hello, Insight, Status
from app.domain.job import JobStatus
from app.insights.log import NumberedFact
from app.insights.past import Past
from app.insights.topic import Position, Topic
from app.insights.wire import Message, comment


@dataclass(frozen=True, slots=True)
class Start:
    """One moment of the feed. All facts up to `head` are in the log; all that is published later is beyond `position`.

    `latest` are the wanted latest values of that moment; `known_jobs` the jobs the hub has any latest value of.
    """

    position: Position
    head: int
    latest: list[Message]
    known_jobs: frozenset[str]


class Subscription:
    """A subscriber: a filter (its topic) and a cursor. `messages()` gives its bytes once, from hello to the end."""

    def __init__(
        self,
        topic: Topic,
        past: Past,
        *,
        begin: Callable[[], Awaitable[Start]],
        leave: Callable[["Subscription"], None],
        resume_from: int | None = None,
    ) -> None:
        self.topic = topic
        self._past = past
        self._begin = begin
        self._leave = leave
        self._resume_from = resume_from
        self._status: JobStatus | None = None  # of the one job asked for, as the log had it
        self._farewell: str | None = None

    def leave(self) -> None:
        """Stop being a subscriber; leaving twice is allowed."""
        self._leave(self)

    def end(self, reason: str = "the server stops") -> None:
        """Let the stream end cleanly, with no `close`: whoever reads it is to come back."""
        self._farewell = reason
        self.topic.wake()

    async def messages(self) -> AsyncGenerator[bytes, None]:
        """Give the connection's bytes, some whole messages at a time, each time the reader is ready for more."""
        start = await self._begin()
        async with aclosing(self._opening(start)) as opening:
            async for chunk in opening:
                yield chunk
        position = start.position
        while self._farewell is None:
            if not self.topic.covers(position):
                start = await self._begin()
                async with aclosing(self._after_gap(position, start)) as again:
                    async for chunk in again:
                        yield chunk
                position = start.position
            elif (newest := self.topic.position()).seq != position.seq:
                chunk, position = self.topic.since(position), newest
                if chunk:
                    yield chunk
            elif status := self._ended():
                yield self._say(Close(at=_now(), reason=status.value))
                return
            else:
                await self.topic.changed()
        yield comment(self._farewell)

    async def _opening(self, start: Start) -> AsyncGenerator[bytes, None]:
        oldest = await self._past.oldest()
        resume = self._resume_from
        lost = None if resume is None else _evicted(resume, start.head, oldest)
        kept = oldest if oldest is not None and oldest <= start.head else None
        hello = Hello(at=_now(), head=start.head, oldest=kept, resumed_from=resume, gap=lost is not None)
        first = self._say(hello, start.head)
        if lost is not None:
            told = self._snapshot(start, since=lost.from_)
            first += self._say(lost)
        elif resume is not None:
            told = self._replay(start, resume)
        else:
            told = self._snapshot(start)
        async with aclosing(_led_by(first, told)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _after_gap(self, missed: Position, start: Start) -> AsyncGenerator[bytes, None]:
        count = start.position.facts - missed.facts
        gap = Gap(at=_now(), from_=missed.head + 1, to=start.head, count=count, reason="slow")
        async with aclosing(_led_by(self._say(gap), self._snapshot(start))) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _snapshot(self, start: Start, since: int | None = None) -> AsyncGenerator[bytes, None]:
        """Tell the facts of the jobs asked for, or of those that have not ended, and the latest values.

        With all jobs asked for and a gap that begins at `since`, tell every fact that is kept from there on, so that the
        gap is all that is missing.
        """
        jobs = await self._jobs()
        if since is not None and since <= start.head and self.topic.wanted.jobs is None:
            facts = self._facts(None, since - 1, start.head)
        else:
            facts = self._facts(jobs, 0, start.head)
        async with aclosing(facts) as pages:
            async for page in pages:
                yield b"".join(Message(insight).snapshot(self.topic.channel) for _, insight in page)
        yield await self._latest(start, jobs)

    async def _replay(self, start: Start, after: int) -> AsyncGenerator[bytes, None]:
        """Tell exactly the facts after a number, under their own numbers, then the latest values."""
        async with aclosing(self._facts(self.topic.wanted.jobs, after, start.head)) as pages:
            async for page in pages:
                yield b"".join(Message(insight, number).live(self.topic.channel) for number, insight in page)
        yield await self._latest(start, await self._jobs())

    async def _facts(self, jobs: Collection[str] | None, after: int, upto: int) -> AsyncGenerator[list[NumberedFact], None]:
        """Give the wanted facts, some at a time; learn on the way whether the one job asked for has ended."""
        topic = self.topic
        if (one := topic.wanted.one_job) is None:
            async with aclosing(self._past.pages(jobs, after, upto)) as pages:
                async for page in pages:
                    yield [fact for fact in page if topic.wants(fact[1].type, fact[1].job_id)]
            return
        facts = await self._past.of_job(one, upto)
        self._status = next((fact.status for _, fact in reversed(facts) if isinstance(fact, Status)), None)
        yield [fact for fact in facts if fact[0] > after and topic.wants(fact[1].type, one)]

    async def _latest(self, start: Start, jobs: Collection[str]) -> bytes:
        channel, wants = self.topic.channel, self.topic.wants
        stored = await self._past.latest_of(frozenset(jobs) - start.known_jobs)
        messages = [*(Message(insight) for insight in stored if wants(insight.type, insight.job_id)), *start.latest]
        return b"".join(message.snapshot(channel) for message in messages)

    async def _jobs(self) -> Collection[str]:
        wanted = self.topic.wanted.jobs
        return await self._past.open_jobs() if wanted is None else wanted

    def _ended(self) -> JobStatus | None:
        """Give the final status of the one job asked for; what the topic heard is newer than what the log had."""
        status = self.topic.status or self._status
        return status if status is not None and status.ended else None

    def _say(self, insight: Insight, number: int | None = None) -> bytes:
        return self.topic.channel.message(insight, number)


def _evicted(resume: int, head: int, oldest: int | None) -> Gap | None:
    """Say which facts after `resume` are not kept any more; a number never given here stands for facts that are gone."""
    first_kept = head + 1 if oldest is None else min(oldest, head + 1)
    if resume > head:
        first, last = head + 1, resume
    elif resume < first_kept - 1:
        first, last = resume + 1, first_kept - 1
    else:
        return None
    return Gap(at=_now(), from_=first, to=last, count=last - first + 1, reason="evicted")


async def _led_by(first: bytes, told: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Put the first messages and what follows them into one chunk, so that they travel together."""
    async with aclosing(told) as chunks:
        async for chunk in chunks:
            if first or chunk:
                yield first + chunk
            first = b""


def _now() -> datetime:
    return datetime.now(UTC)
