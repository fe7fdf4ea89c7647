"""The hub: what is published comes in here, and every subscriber is woken for it on one shared tick."""

import asyncio
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from typing import Final

from anyio import move_on_after

from app.domain.insight import LATEST_TYPES, Insight, Status
from app.insights.log import FactLog
from app.insights.past import PAGE, LatestOf, OpenJobs, Past
from app.insights.subscription import Start, Subscription
from app.insights.topic import EVERYTHING, Filter, Topic
from app.insights.wire import JSON, Channel, Encode, Message, encode_json

WINDOW_S: Final = 0.05  # what comes within it goes out as one write
_ENDED_KEPT: Final = 64  # ended jobs whose latest values are kept for those who still come
_FAREWELL_S: Final = 2.0
_FURTHEST_S: Final = 60.0


class Hub:
    """Publishes insights to subscribers. Every method belongs to the thread of the event loop.

    `log` holds the facts. `latest_of(job_id)` gives stored latest values of a job the hub knows none of, as after a
    restart; `open_jobs()` the ids of the jobs that have not ended (without it they are found by reading the whole log).
    Both are called in threads.
    """

    def __init__(
        self,
        log: FactLog,
        *,
        latest_of: LatestOf | None = None,
        open_jobs: OpenJobs | None = None,
        window_s: float = WINDOW_S,
    ) -> None:
        self._past = Past(log, latest_of, open_jobs)
        self._window = window_s
        self._head: int | None = None  # number of the last fact published; None until the log was asked
        self._reading = asyncio.Lock()
        self._channels = {JSON: Channel(JSON, encode_json, named=True)}
        self._topics: dict[Filter, Topic] = {}
        self._subscriptions: set[Subscription] = set()
        self._latest: dict[tuple[str, str | None], Message] = {}
        self._ended: dict[str, None] = {}  # jobs that ended lately, oldest first
        self._timer: asyncio.Handle | None = None
        self._due_at = 0.0
        self._ticked_at = float("-inf")
        self._deserted = asyncio.Event()
        self._farewell: str | None = None

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
        return len(self._subscriptions)

    @property
    def head(self) -> int:
        """Number of the last fact published (0 before the first)."""
        return self._head or 0

    def is_watched(self, job_id: str | None, kind: str) -> bool:
        """Say whether any subscriber wants insights of this type about this job."""
        return any(topic.wants(kind, job_id) for topic in self._topics.values())

    def publish(self, insight: Insight) -> None:
        """Publish a latest-wins insight: it replaces the one before of its type and job. Raise ValueError for another."""
        if insight.type not in LATEST_TYPES:
            raise ValueError(f"{insight.type!r} is not latest-wins, expected one of {', '.join(sorted(LATEST_TYPES))}")
        message = Message(insight)
        self._latest[insight.key] = message
        for topic in self._topics.values():
            if topic.wants(insight.type, insight.job_id):
                topic.add_latest(message, asyncio.get_running_loop().time())
                self._tick_by_window()

    def publish_fact(self, number: int, insight: Insight) -> None:
        """Publish a fact under its number, in the order of numbers; one published before is left alone."""
        if self._head is not None and number <= self._head:
            return
        self._head = number
        if isinstance(insight, Status):
            self._note(insight)
        message = Message(insight, number)
        for topic in self._topics.values():
            topic.add_fact(message)
            if topic.dirty:
                self._tick_by_window()

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
                for number, insight in facts:
                    self.publish_fact(number, insight)
                more = len(facts) == PAGE
            self._head = max(self._head, head)  # the newest facts may have been deleted before they were read

    def subscribe(self, wanted: Filter = EVERYTHING, *, last_event_id: int | None = None) -> Subscription:
        """Begin a subscription; who calls this reads its `messages()` and must call `leave()` at the end.

        `last_event_id` is the number of the last fact the subscriber has. Raise KeyError for a channel there is not.
        """
        topic = self._topics.get(wanted)
        if topic is None:
            now = asyncio.get_running_loop().time()
            topic = Topic(wanted, self._channels[wanted.channel], self._latest.values(), head=self.head, now=now)
            self._topics[wanted] = topic

        async def begin() -> Start:
            await self.catch_up()
            return self._start(topic)

        subscription = Subscription(topic, self._past, begin=begin, leave=self._leave, resume_from=last_event_id)
        self._subscriptions.add(subscription)
        self._deserted.clear()
        topic.subscribers += 1
        if self._farewell is not None:
            subscription.end(self._farewell)
        return subscription

    def forget(self, job_id: str) -> None:
        """Let go of a job's latest values."""
        self._ended.pop(job_id, None)
        for key in [key for key in self._latest if key[1] == job_id]:
            del self._latest[key]
        for topic in self._topics.values():
            topic.forget(job_id)

    async def close(self, reason: str) -> None:
        """End every stream with the reason as a comment, and wait a moment until the subscribers have left.

        No `close` is sent: the job asked for has not ended, and a client that comes back resumes.
        """
        self._farewell = reason
        for subscription in self._subscriptions:
            subscription.end(reason)
        if self._timer is not None:
            self._timer.cancel()
        if self._subscriptions:
            with move_on_after(_FAREWELL_S):
                await self._deserted.wait()

    def _start(self, topic: Topic) -> Start:
        latest = topic.latest()
        if topic.wanted.jobs is None:
            latest = [message for message in latest if message.insight.job_id not in self._ended]
        known = frozenset(job_id for _, job_id in self._latest if job_id is not None)
        return Start(topic.position()._replace(head=self.head), self.head, latest, known)

    def _leave(self, subscription: Subscription) -> None:
        if subscription not in self._subscriptions:
            return
        self._subscriptions.discard(subscription)
        subscription.topic.subscribers -= 1
        if not subscription.topic.subscribers:
            del self._topics[subscription.topic.wanted]
        if not self._subscriptions:
            self._deserted.set()

    def _note(self, status: Status) -> None:
        self._ended.pop(status.job_id, None)
        if status.status.ended:
            self._ended[status.job_id] = None
            if len(self._ended) > _ENDED_KEPT:
                self.forget(next(iter(self._ended)))

    def _tick_by_window(self) -> None:
        """Have a tick at once after a quiet time, else when the window since the last one is over."""
        self._tick_at(max(self._ticked_at + self._window, asyncio.get_running_loop().time()))

    def _tick_at(self, when: float) -> None:
        """Have a tick at a time of the loop's clock, unless there is an earlier one."""
        if self._timer is not None:
            if self._due_at <= when:
                return
            self._timer.cancel()
        self._due_at = when  # kept here: for a time that has come uvloop gives a handle that does not tell it
        self._timer = asyncio.get_running_loop().call_at(when, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self._ticked_at = asyncio.get_running_loop().time()
        due: list[float] = []
        for topic in self._topics.values():
            next_due = topic.release(now)
            if topic.dirty:
                topic.wake()
            if next_due is not None:
                due.append(next_due)
        if due:
            self._tick_at(max(now + self._window, min(now + _FURTHEST_S, *due)))
