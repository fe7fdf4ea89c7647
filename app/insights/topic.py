"""What all subscribers with the same filter share: a short ring of facts, the latest values, and the bytes made of both."""

from collections import deque
from collections.abc import Iterable
from operator import itemgetter
from typing import Final, NamedTuple

from app.domain.insight import Insight, Status
from app.domain.job import JobStatus
from app.insights.filter import Filter
from app.insights.stage_plugins import StagePlugins
from app.insights.wire import Channel, Message

RING: Final = 512  # facts kept for subscribers who lag; whoever lags further is told of a gap

_Key = tuple[str, str | None]


class Position(NamedTuple):
    """How far a subscriber is: `seq` is its cursor, `head` the number of its last fact.

    `facts` and `values` count the facts and the latest values there were until then.
    """

    seq: int
    head: int
    facts: int
    values: int


class Batch(NamedTuple):
    """What came after a position, as bytes, and how many facts and latest values that is."""

    data: bytes
    facts: int
    values: int


class Topic:
    """One filter's facts and latest values, each under a sequence number; a subscriber is no more than a position in it."""

    def __init__(self, wanted: Filter, channel: Channel, stage_plugins: StagePlugins, *, head: int) -> None:
        self.wanted = wanted
        self.channel = channel
        self.status: JobStatus | None = None  # of the one job asked for, once it changed
        self.dirty = False
        self._interval = 1 / wanted.max_rate if wanted.max_rate else 0.0
        self._types = _both(wanted.types, channel.types)
        self._position = Position(0, head, 0, 0)
        self._dropped = 0  # sequence number of the last fact that fell out of the ring
        self._facts: deque[tuple[int, Message]] = deque()
        self._stage_plugins = stage_plugins
        self._latest: dict[_Key, tuple[int, Message]] = {}
        self._held: dict[_Key, Message] = {}
        self._due: dict[_Key, float] = {}
        self._joined: dict[int, Batch] = {}

    def wants(self, kind: str, job_id: str | None) -> bool:
        """Say whether insights of this type and job go to this topic's subscribers."""
        if self._types is not None and kind not in self._types:
            return False
        plugins = self.wanted.plugins
        return self.wanted.wants_job(job_id) and (plugins is None or self._stage_plugins.uses(job_id, plugins))

    def keeps(self, insight: Insight) -> bool:
        """Say whether this insight goes to this topic's subscribers; one about a stage only where its plugin is wanted."""
        if not self.wants(insight.type, insight.job_id):
            return False
        plugins, stage = self.wanted.plugins, getattr(insight, "stage", None)
        return plugins is None or stage is None or self._stage_plugins.plugins_of(insight.job_id).get(stage) in plugins

    def remember(self, known: Iterable[Message], now: float) -> None:
        """Take in values from before this topic was made, for the snapshots of those who come."""
        for message in known:
            key = message.insight.key
            if key not in self._latest and key not in self._held and self.keeps(message.insight):
                self._latest[key] = 0, self._left_of(message)
                if self._interval:
                    self._due[key] = now + self._interval

    def add_fact(self, message: Message) -> None:
        """Take in a fact of any job; also learn from it whether the one job asked for has ended."""
        insight = message.insight
        if isinstance(insight, Status) and insight.job_id == self.wanted.one_job:
            self.status = insight.status
            if insight.status.ended:
                for held in [self._held.pop(key) for key in tuple(self._held)]:
                    self._put(held)  # what the rate held back goes out before the end
            self._advance()
        if not self.keeps(insight):
            return
        self._advance(fact_id=message.fact_id)
        self._facts.append((self._position.seq, message))
        if len(self._facts) > RING:
            self._dropped = self._facts.popleft()[0]

    def add_latest(self, message: Message, now: float) -> None:
        """Take in a wanted latest value, or hold it back while its type and job are over the rate."""
        key, message = message.insight.key, self._left_of(message)
        if self._interval:
            if key in self._held:  # replaced before it was sent
                self._position = self._position._replace(values=self._position.values + 1)
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

    def since(self, position: Position) -> Batch:
        """Give what came after a position, in order, joined once for all who stand there."""
        joined = self._joined.get(position.seq)
        if joined is None:
            news = [entry for entry in self._latest.values() if entry[0] > position.seq]
            values = len(news)
            for entry in reversed(self._facts):
                if entry[0] <= position.seq:
                    break
                news.append(entry)
            news.sort(key=itemgetter(0))
            data = b"".join(message.live(self.channel) for _, message in news)
            joined = self._joined[position.seq] = Batch(data, len(news) - values, values)
        return joined

    def _left_of(self, message: Message) -> Message:
        reduction = self.wanted.reduction
        return message.reduced(reduction, self._stage_plugins.plugins_of(message.insight.job_id)) if reduction else message

    def _put(self, message: Message) -> None:
        self._advance(values=1)
        self._latest[message.insight.key] = self._position.seq, message

    def _advance(self, *, fact_id: int | None = None, values: int = 0) -> None:
        seq, head, facts, before = self._position
        self._position = Position(seq + 1, fact_id or head, facts + (fact_id is not None), before + values)
        self._joined.clear()
        self.dirty = True


def _both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other
