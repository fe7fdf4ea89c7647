"""What all subscribers with the same filter share: a short ring of facts, the latest values, and the bytes made of both."""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, NamedTuple

from app.domain.insight import Status
from app.domain.job import JobStatus
from app.insights.wire import JSON, Channel, Message

RING: Final = 512  # facts kept for subscribers who lag; whoever lags further is told of a gap

_Key = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Filter:
    """What a subscriber wants: a channel, jobs and types (None for all), and at most `max_rate` latest values a second.

    The rate holds for each type and job by itself, never for facts. Insights of no job (usage) come with any jobs.
    """

    channel: str = JSON
    jobs: frozenset[str] | None = None
    types: frozenset[str] | None = None
    max_rate: float | None = None

    @property
    def one_job(self) -> str | None:
        """The job whose end is the end of the feed, where just one was asked for."""
        return next(iter(self.jobs)) if self.jobs is not None and len(self.jobs) == 1 else None

    def wants_job(self, job_id: str | None) -> bool:
        """Say whether insights of this job (None: of no job) are wanted."""
        return self.jobs is None or job_id is None or job_id in self.jobs


EVERYTHING: Final = Filter()


class Position(NamedTuple):
    """How far a subscriber is: `seq` is its cursor, `head` and `facts` the number of the last fact and the count until then."""

    seq: int
    head: int
    facts: int


class Topic:
    """One filter's facts and latest values, each under a sequence number; a subscriber is no more than a position in it."""

    def __init__(self, wanted: Filter, channel: Channel, known: Iterable[Message], *, head: int, now: float) -> None:
        self.wanted = wanted
        self.channel = channel
        self.subscribers = 0
        self.status: JobStatus | None = None  # of the one job asked for, once it changed
        self.dirty = False
        self._interval = 1 / wanted.max_rate if wanted.max_rate else 0.0
        self._types = _both(wanted.types, channel.types)
        self._position = Position(0, head, 0)
        self._dropped = 0  # sequence number of the last fact that fell out of the ring
        self._facts: deque[tuple[int, Message]] = deque()
        self._latest = {m.insight.key: (0, m) for m in known if self.wants(m.insight.type, m.insight.job_id)}
        self._held: dict[_Key, Message] = {}
        self._due = dict.fromkeys(self._latest, now + self._interval) if self._interval else {}
        self._joined: dict[int, bytes] = {}
        self._change = asyncio.Event()

    def wants(self, kind: str, job_id: str | None) -> bool:
        """Say whether insights of this type and job go to this topic's subscribers."""
        return (self._types is None or kind in self._types) and self.wanted.wants_job(job_id)

    def add_fact(self, message: Message) -> None:
        """Take in a fact of any job; also learn from it whether the one job asked for has ended."""
        insight = message.insight
        if isinstance(insight, Status) and insight.job_id == self.wanted.one_job:
            self.status = insight.status
            if insight.status.ended:
                for held in [self._held.pop(key) for key in tuple(self._held)]:
                    self._put(held)  # what the rate held back goes out before the end
            self._advance()
        if not self.wants(insight.type, insight.job_id):
            return
        self._advance(message.fact_id)
        self._facts.append((self._position.seq, message))
        if len(self._facts) > RING:
            self._dropped = self._facts.popleft()[0]

    def add_latest(self, message: Message, now: float) -> None:
        """Take in a wanted latest value, or hold it back while its type and job are over the rate."""
        key = message.insight.key
        if self._interval:
            if now < self._due.get(key, 0.0):
                self._held[key] = message
                return
            self._held.pop(key, None)
            self._due[key] = now + self._interval
        self._put(message)

    def release(self, now: float) -> float | None:
        """Let out what was held back until `now`; give the time when the next is due, None when nothing is held."""
        for key in [key for key in self._held if self._due[key] <= now]:
            self.add_latest(self._held.pop(key), now)
        return min((self._due[key] for key in self._held), default=None)

    def forget(self, job_id: str) -> None:
        """Let go of a job's latest values."""
        for table in (self._latest, self._held, self._due):
            for key in [key for key in table if key[1] == job_id]:
                del table[key]

    def position(self) -> Position:
        """Give the position of a subscriber who has everything."""
        return self._position

    def latest(self) -> list[Message]:
        """Give the latest values, as they are at the position of one who has everything."""
        return [message for _, message in sorted(self._latest.values(), key=itemgetter(0))]

    def covers(self, position: Position) -> bool:
        """Say whether no fact after this position has fallen out of the ring."""
        return position.seq >= self._dropped

    def since(self, position: Position) -> bytes:
        """Give what came after a position, in order, joined once for all who stand there."""
        joined = self._joined.get(position.seq)
        if joined is None:
            news = [entry for entry in self._latest.values() if entry[0] > position.seq]
            for entry in reversed(self._facts):
                if entry[0] <= position.seq:
                    break
                news.append(entry)
            news.sort(key=itemgetter(0))
            joined = self._joined[position.seq] = b"".join(message.live(self.channel) for _, message in news)
        return joined

    def wake(self) -> None:
        """Wake everybody who waits for a change."""
        self.dirty = False
        change, self._change = self._change, asyncio.Event()
        change.set()

    async def changed(self) -> None:
        """Wait for the next tick at which something is new."""
        await self._change.wait()

    def _put(self, message: Message) -> None:
        self._advance()
        self._latest[message.insight.key] = self._position.seq, message

    def _advance(self, fact_id: int | None = None) -> None:
        seq, head, facts = self._position
        self._position = Position(seq + 1, fact_id or head, facts + (fact_id is not None))
        self._joined.clear()
        self.dirty = True


def _both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other
