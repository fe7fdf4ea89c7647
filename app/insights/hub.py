"""The hub: what is published comes in here, is kept for a while, and goes out to everybody who asked for it."""

import asyncio
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from typing import Final

from app.domain.insight import LATEST_TYPES, Insight, Metrics, Status
from app.insights.audience import HEARTBEAT_S, PATIENCE_S, Audience, Totals
from app.insights.filter import EVERYTHING, Filter
from app.insights.log import FactLog
from app.insights.opening import Opening, Start
from app.insights.past import PAGE, LatestOf, OpenJobs, Past
from app.insights.stage_plugins import PluginsOf, StagePlugins
from app.insights.subscription import Subscription
from app.insights.topic import Topic
from app.insights.trend import Trends
from app.insights.wire import JSON, Channel, Encode, Message, encode_json

_ENDED_KEPT: Final = 64  # ended jobs whose latest values are kept for those who still come
_FAREWELL_S: Final = 1.0


class Hub:
    """Publishes insights to subscribers. Every method belongs to the thread of the event loop.

    `log` holds the facts. `latest_of(job_id)` gives stored latest values of a job the hub knows none of, as after a
    restart; `open_jobs()` the ids of the jobs that have not ended (without it they are found by reading the whole log);
    `plugins_of(job_id)` the plugin of each of its stages. All are called in threads. `window_s` is the time between two
    passes; None lets it grow with the subscribers.
    """

    def __init__(
        self,
        log: FactLog,
        *,
        latest_of: LatestOf | None = None,
        open_jobs: OpenJobs | None = None,
        plugins_of: PluginsOf | None = None,
        window_s: float | None = None,
        heartbeat_s: float = HEARTBEAT_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._past = Past(log, latest_of, open_jobs)
        self._stage_plugins = StagePlugins(plugins_of)
        self._audience = Audience(window_s=window_s, heartbeat_s=heartbeat_s, patience_s=patience_s)
        self._head: int | None = None  # number of the last fact published; None until the log was asked
        self._reading = asyncio.Lock()
        self._channels = {JSON: Channel(JSON, encode_json, named=True)}
        self._latest: dict[tuple[str, str | None], Message] = {}
        self.trends = Trends()
        self._ended: dict[str, None] = {}  # jobs that ended lately, oldest first
        self.published = 0  # insights taken in, whether or not anybody wanted them

    def channel(self, name: str, encode: Encode, *, types: Collection[str] | None = None) -> None:
        """Add an encoding; its messages are unnamed except `close`.

        `encode(insight, fact_id)` gives the payload of any number of lines (the hub adds `id:` and `data:`), or None for
        what the channel does not show. `types`, where given, are all it shows: others are neither encoded nor watched.
        """
        self._channels[name] = Channel(name, encode, named=False, types=None if types is None else frozenset(types))

    @property
    def channels(self) -> Collection[str]:
        """Names of the channels there are."""
        return self._channels.keys()

    @property
    def subscribers(self) -> int:
        """Number of open subscriptions."""
        return len(self._audience)

    @property
    def totals(self) -> Totals:
        """What all subscribers ever got and did not."""
        return self._audience.totals

    @property
    def window_s(self) -> float:
        """Time between two writes to a subscriber, in seconds, as long as there is news."""
        return self._audience.window_s

    @property
    def head(self) -> int:
        """Number of the last fact published (0 before the first)."""
        return self._head or 0

    def subscriptions(self) -> tuple[Subscription, ...]:
        """Give every open subscription, with what it asked for, how far it is, and what it has cost."""
        return self._audience.subscriptions

    def is_watched(self, job_id: str | None, kind: str) -> bool:
        """Say whether any subscriber wants insights of this type about this job."""
        return any(topic.wants(kind, job_id) for topic in self._audience.topics)

    def publish(self, insight: Insight) -> None:
        """Publish a latest-wins insight: it replaces the one before of its type and job. Raise ValueError for another."""
        if insight.type not in LATEST_TYPES:
            raise ValueError(f"{insight.type!r} is not latest-wins, expected one of {', '.join(sorted(LATEST_TYPES))}")
        self.published += 1
        message = Message(insight)
        self._latest[insight.key] = message
        if isinstance(insight, Metrics):
            self.trends.add(insight)
        for topic in self._audience.topics:
            if topic.keeps(insight):
                topic.add_latest(message, asyncio.get_running_loop().time())
                self._audience.stir()

    def publish_fact(self, number: int, insight: Insight) -> None:
        """Publish a fact under its number, in the order of numbers; one published before is left alone."""
        if self._head is not None and number <= self._head:
            return
        self._head = number
        self.published += 1
        if isinstance(insight, Status):
            self._note(insight)
        message = Message(insight, number)
        for topic in self._audience.topics:
            topic.add_fact(message)
            if topic.dirty:
                self._audience.stir()

    def hold(self) -> AbstractAsyncContextManager[None]:
        """Keep facts back for a moment, so that a latest value can be published before a fact that is being written."""
        return self._reading

    async def catch_up(self) -> None:
        """Publish what the log holds beyond the last published fact; the first time, only learn where the log ends."""
        async with self._reading:
            head = await self._past.head()
            if self._head is None:
                self._head = head
            more = head > self._head
            while more:
                facts = await self._past.page(self._head)
                if any(topic.wanted.plugins is not None for topic in self._audience.topics):
                    await self._stage_plugins.learn(insight.job_id for _, insight in facts)
                for number, insight in facts:
                    self.publish_fact(number, insight)
                more = len(facts) == PAGE
            self._head = max(self._head, head)  # the newest facts may have been deleted before they were read

    def subscribe(
        self, wanted: Filter = EVERYTHING, *, last_event_id: int | None = None, rewind: int | None = None
    ) -> Subscription:
        """Begin a subscription: who calls this `attach`es it, reads its `messages()`, and must call `leave()` at the end.

        `last_event_id` is the number of the last fact the subscriber has; without it, `rewind` asks for the last so many
        facts instead of a snapshot's. Raise KeyError for a channel there is not.
        """
        channel = self._channels[wanted.channel]

        topic = self._audience.topic(wanted, lambda: Topic(wanted, channel, self._stage_plugins, head=self.head))
        opening = Opening(topic, self._past, self._stage_plugins)
        subscription = Subscription(topic, opening, self, resume_from=last_event_id, rewind=rewind)
        self._audience.join(subscription)
        return subscription

    async def begin(self, topic: Topic) -> Start:
        """Give this moment of the feed, for a subscription to begin with."""
        if topic.wanted.plugins is not None:
            await self._stage_plugins.learn(await self._past.open_jobs() | (topic.wanted.jobs or frozenset()))
        await self.catch_up()
        topic.remember(self._latest.values(), asyncio.get_running_loop().time())
        latest = topic.latest()
        if topic.wanted.jobs is None:
            latest = [message for message in latest if message.insight.job_id not in self._ended]
        known = frozenset(job_id for _, job_id in self._latest if job_id is not None)
        return Start(topic.position()._replace(head=self.head), self.head, latest, known)

    def awake(self, subscription: Subscription) -> None:
        """Serve a subscription with the next pass."""
        self._audience.awake(subscription)

    def leave(self, subscription: Subscription) -> None:
        """Forget a subscription; twice is allowed."""
        self._audience.leave(subscription)

    def forget(self, job_id: str) -> None:
        """Let go of a job's latest values."""
        self._ended.pop(job_id, None)
        self.trends.forget(job_id)
        for key in [key for key in self._latest if key[1] == job_id]:
            del self._latest[key]
        for topic in self._audience.topics:
            topic.forget(job_id)

    async def close(self, reason: str) -> None:
        """End every stream with `close` and this reason; who does not take it within a second is cut off."""
        await self._audience.dismiss(reason, _FAREWELL_S)

    def _note(self, status: Status) -> None:
        self._ended.pop(status.job_id, None)
        if status.status.ended:
            self._ended[status.job_id] = None
            if len(self._ended) > _ENDED_KEPT:
                self.forget(next(iter(self._ended)))
