"""What a connection is told of the time before it: hello, then a snapshot or the facts it missed; after a gap, again."""

from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from random import uniform
from typing import Final

from app.domain.insight import Gap, Hello, Insight, Status
from app.domain.job import JobStatus
from app.insights.log import NumberedFact
from app.insights.past import Past
from app.insights.stage_plugins import StagePlugins
from app.insights.topic import Position, Topic
from app.insights.wire import Message

_RETRY_MS: Final = (500, 1500)  # so that those who lost their server together do not all come back at once

Chunks = AsyncGenerator[bytes, None]


@dataclass(frozen=True, slots=True)
class Start:
    """One moment of the feed. All facts up to `head` are in the log; all that is published later is beyond `position`.

    `latest` are the wanted latest values of that moment; `known_jobs` the jobs the hub has any latest value of.
    """

    position: Position
    head: int
    latest: list[Message]
    known_jobs: frozenset[str]


class Opening:
    """Tells one connection what was; on the way it learns how the one job asked for stands in the log (`status`)."""

    def __init__(self, topic: Topic, past: Past, stage_plugins: StagePlugins) -> None:
        self.status: JobStatus | None = None
        self._topic = topic
        self._past = past
        self._stage_plugins = stage_plugins

    async def first(self, start: Start, resume: int | None, rewind: int | None) -> Chunks:
        """Tell hello, then what was missed since the fact `resume`, or the last `rewind` facts, or a snapshot."""
        oldest = await self._past.oldest()
        lost = None if resume is None else _evicted(resume, start.head, oldest)
        kept = oldest if oldest is not None and oldest <= start.head else None
        if resume is None and rewind is not None:
            resume = await self._rewound(start, rewind)
        hello = Hello(at=_now(), head=start.head, oldest=kept, resumed_from=resume, gap=lost is not None)
        first = self._topic.channel.message(hello, start.head, retry_ms=round(uniform(*_RETRY_MS)))  # noqa: S311  # no secret
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

    async def after_gap(self, missed: Position, start: Start) -> Chunks:
        """Tell which facts were lost on the way, then a snapshot."""
        count = start.position.facts - missed.facts
        gap = Gap(at=_now(), from_=missed.head + 1, to=start.head, count=count, reason="slow")
        async with aclosing(_led_by(self._say(gap), self._snapshot(start))) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _snapshot(self, start: Start, since: int | None = None) -> Chunks:
        """Tell the facts of the jobs asked for, or of those that have not ended, and the latest values.

        With all jobs asked for and a gap that begins at `since`, tell every fact that is kept from there on, so that the
        gap is all that is missing.
        """
        jobs = await self._jobs()
        if since is not None and since <= start.head and self._topic.wanted.jobs is None:
            facts = self._facts(None, since - 1, start.head)
        else:
            facts = self._facts(jobs, 0, start.head)
        async with aclosing(facts) as pages:
            async for page in pages:
                yield b"".join(Message(insight).snapshot(self._topic.channel) for _, insight in page)
        yield await self._latest(start, jobs)

    async def _replay(self, start: Start, after: int) -> Chunks:
        """Tell exactly the facts after a number, under their own numbers, then the latest values."""
        async with aclosing(self._facts(self._topic.wanted.jobs, after, start.head)) as pages:
            async for page in pages:
                yield b"".join(Message(insight, number).live(self._topic.channel) for number, insight in page)
        yield await self._latest(start, await self._jobs())

    async def _rewound(self, start: Start, count: int) -> int:
        """Give the number before the last `count` wanted facts."""
        before, left = start.head + 1, count
        while left and (page := await self._past.page_before(before, self._topic.wanted.jobs)):
            wanted = [number for number, _ in await self._kept(page)]
            if len(wanted) >= left:
                return wanted[left - 1] - 1
            before, left = page[-1][0], left - len(wanted)
        return before - 1

    async def _facts(self, jobs: Collection[str] | None, after: int, upto: int) -> AsyncGenerator[list[NumberedFact], None]:
        """Give the wanted facts, some at a time; learn on the way whether the one job asked for has ended."""
        topic = self._topic
        one = topic.wanted.one_job
        begin = 0 if one is not None else after  # of one job all facts are read, for the last status is among them
        async with aclosing(self._past.pages(jobs, begin, upto)) as pages:
            async for page in pages:
                if one is not None:
                    self.status = next((f.status for _, f in reversed(page) if isinstance(f, Status)), self.status)
                yield [fact for fact in await self._kept(page) if fact[0] > after]

    async def _kept(self, page: list[NumberedFact]) -> list[NumberedFact]:
        if self._topic.wanted.plugins is not None:
            await self._stage_plugins.learn(fact.job_id for _, fact in page)
        return [numbered for numbered in page if self._topic.keeps(numbered[1])]

    async def _latest(self, start: Start, jobs: Collection[str]) -> bytes:
        channel, keeps = self._topic.channel, self._topic.keeps
        stored = await self._past.latest_of(frozenset(jobs) - start.known_jobs)
        messages = [*(Message(insight) for insight in stored if keeps(insight)), *start.latest]
        return b"".join(message.snapshot(channel) for message in messages)

    async def _jobs(self) -> Collection[str]:
        wanted = self._topic.wanted.jobs
        return await self._past.open_jobs() if wanted is None else wanted

    def _say(self, insight: Insight) -> bytes:
        return self._topic.channel.message(insight)


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


async def _led_by(first: bytes, told: Chunks) -> Chunks:
    """Put the first messages and what follows them into one chunk, so that they travel together."""
    async with aclosing(told) as chunks:
        async for chunk in chunks:
            if first or chunk:
                yield first + chunk
            first = b""


def _now() -> datetime:
    return datetime.now(UTC)
