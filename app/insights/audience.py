"""Everybody who listens, and the one pass that writes to all of them what is pending; also the sweep that looks after them."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Final, NamedTuple

from anyio import move_on_after

from app.insights.filter import Filter
from app.insights.subscription import Subscription
from app.insights.topic import Topic
from app.insights.wire import comment

WINDOW_S: Final = (0.05, 0.25)  # what comes within it goes out as one write: writes cost, not insights
WINDOW_PER_SUBSCRIBER_S: Final = 0.0002
HEARTBEAT_S: Final = 15.0
PATIENCE_S: Final = 30.0  # a subscriber whose socket takes nothing for so long is let go; it resumes when it is back
_SWEEP_S: Final = 1.0
_HEARTBEAT: Final = comment("still here")
_FURTHEST_S: Final = 60.0


class Totals(NamedTuple):
    """What all subscribers ever got: insights written, latest values replaced unsent, facts lost to gaps, and bytes."""

    delivered: int = 0
    conflated: int = 0
    dropped: int = 0
    bytes_sent: int = 0


class Audience:
    """The topics there are and who subscribes to each. `window_s` None lets the window grow with the subscribers."""

    def __init__(self, *, window_s: float | None, heartbeat_s: float, patience_s: float) -> None:
        self._fixed_window_s = window_s
        self._heartbeat_s, self._patience_s = heartbeat_s, patience_s
        self._sweep_s = min(_SWEEP_S, heartbeat_s / 4, patience_s / 4)
        self._topics: dict[Filter, dict[Subscription, None]] = {}
        self._by_filter: dict[Filter, Topic] = {}
        self._size = 0
        self._awake: set[Subscription] = set()
        self._departed = Totals()
        self._timer: asyncio.Handle | None = None
        self._due_at = 0.0
        self._passed_at = float("-inf")
        self._sweeper: asyncio.Handle | None = None
        self._deserted = asyncio.Event()
        self._farewell: str | None = None

    def __len__(self) -> int:
        return self._size

    @property
    def topics(self) -> Iterable[Topic]:
        """Every topic that somebody subscribes to."""
        return self._by_filter.values()

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """Every open subscription, the oldest of each topic first."""
        return tuple(subscription for listeners in self._topics.values() for subscription in listeners)

    @property
    def totals(self) -> Totals:
        """Sum over every subscription there is and was."""
        return Totals(*(sum(counts) for counts in zip(self._departed, *map(_counts, self.subscriptions), strict=True)))

    @property
    def window_s(self) -> float:
        """Time between two passes, in seconds: it grows with the audience, for a pass costs so much for each."""
        if self._fixed_window_s is not None:
            return self._fixed_window_s
        shortest, longest = WINDOW_S
        return min(longest, max(shortest, WINDOW_PER_SUBSCRIBER_S * self._size))

    def topic(self, wanted: Filter, make: Callable[[], Topic]) -> Topic:
        """Give the topic of a filter, made where nobody asked for it before."""
        if wanted not in self._by_filter:
            self._by_filter[wanted], self._topics[wanted] = make(), {}
        return self._by_filter[wanted]

    def join(self, subscription: Subscription) -> None:
        """Take a subscription in."""
        self._topics[subscription.topic.wanted][subscription] = None
        self._size += 1
        self._deserted.clear()
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(self._sweep_s, self._sweep)
        if self._farewell is not None:
            subscription.end(self._farewell)

    def leave(self, subscription: Subscription) -> None:
        """Let a subscription go; the last of a topic takes the topic with it."""
        wanted = subscription.topic.wanted
        listeners = self._topics.get(wanted, {})
        if subscription not in listeners:
            return
        del listeners[subscription]
        self._awake.discard(subscription)
        self._size -= 1
        self._departed = Totals(*(sum(counts) for counts in zip(self._departed, _counts(subscription), strict=True)))
        if not listeners:
            del self._topics[wanted], self._by_filter[wanted]
        if not self._size:
            self._deserted.set()

    async def dismiss(self, reason: str, patience_s: float) -> None:
        """End every stream with `close` and the reason; whoever does not take it in time is cut off."""
        self._farewell = reason
        for subscription in self.subscriptions:
            subscription.end(reason)
        with move_on_after(patience_s):
            await self._empty()
        for subscription in self.subscriptions:
            subscription.cut()
        with move_on_after(patience_s):
            await self._empty()
        for handle in (self._timer, self._sweeper):
            if handle is not None:
                handle.cancel()

    def awake(self, subscription: Subscription) -> None:
        """Have the next pass serve a subscription, whether or not its topic has news."""
        self._awake.add(subscription)
        self.stir()

    def stir(self) -> None:
        """Have a pass at once after a quiet time, else when the window since the last one is over."""
        self._pass_at(max(self._passed_at + self.window_s, asyncio.get_running_loop().time()))

    def _pass_at(self, when: float) -> None:
        """Have a pass at a time of the loop's clock, unless there is an earlier one."""
        if self._timer is not None:
            if self._due_at <= when:
                return
            self._timer.cancel()
        self._due_at = when  # kept here: for a time that has come uvloop gives a handle that does not tell it
        self._timer = asyncio.get_running_loop().call_at(when, self._pass)

    def _pass(self) -> None:
        self._timer = None
        now = self._passed_at = asyncio.get_running_loop().time()
        due = [when for topic in self._by_filter.values() if (when := topic.release(now)) is not None]
        if due:
            self._pass_at(max(now + self.window_s, min(now + _FURTHEST_S, *due)))
        awake, self._awake = self._awake, set()
        with ExitStack() as each:  # an insight that cannot be put into one channel's bytes costs the other channels nothing
            each.callback(_serve, awake, now)
            for wanted, topic in self._by_filter.items():
                if topic.dirty:
                    topic.dirty = False
                    each.callback(_serve, self._topics[wanted], now)

    def _sweep(self) -> None:
        self._sweeper = None
        loop = asyncio.get_running_loop()
        idle_s, patience_s = (most - self._sweep_s for most in (self._heartbeat_s, self._patience_s))  # the next comes too late
        for subscription in self.subscriptions:
            subscription.look_after(loop.time(), heartbeat=_HEARTBEAT, idle_s=idle_s, patience_s=patience_s)
        if self._size:
            self._sweeper = loop.call_later(self._sweep_s, self._sweep)

    async def _empty(self) -> None:
        if self._size:
            await self._deserted.wait()


def _serve(subscriptions: Iterable[Subscription], now: float) -> None:
    for subscription in subscriptions:
        subscription.serve(now)


def _counts(subscription: Subscription) -> Totals:
    return Totals(subscription.delivered, subscription.conflated, subscription.dropped, subscription.bytes_sent)
