"""Any order of writing, coming, going, coming back, slowing down and restarting: each fact once and in order, or a gap."""

import asyncio
import random
from collections import deque
from collections.abc import Collection
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.insight import Insight
from app.domain.job import JobStatus
from app.insights import topic as topic_module
from app.insights.filter import Filter
from app.insights.hub import Hub
from app.insights.log import MemoryFactLog, NumberedFact
from app.insights.tail import Tail
from tests.unit.insights.reader import Reader, of, progress, status, warning

STEADY = ("a", "b")  # these never end; `c` ends and is retried
FILTERS = (
    of("a"),
    of("c"),
    of("a", "b"),
    of(),
    of("b", types="warning,progress"),
    of("c", types="status"),
    of("a", max_rate=500.0),
)
STATUSES = (JobStatus.RUNNING, JobStatus.FAILED, JobStatus.QUEUED)


class MeddlingLog(MemoryFactLog):
    """A log into which somebody else writes just before and just after it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.meddling: deque[Insight] = deque()

    def _meddle(self) -> None:
        try:
            self.append(self.meddling.popleft())
        except IndexError:
            return

    def head(self) -> int:
        self._meddle()
        head = super().head()
        self._meddle()
        return head

    def oldest(self) -> int | None:
        self._meddle()
        return super().oldest()

    def after(self, last_id: int, job_ids: Collection[str] | None, limit: int) -> list[NumberedFact]:
        self._meddle()
        found = super().after(last_id, job_ids, limit)
        self._meddle()
        return found

    def before(self, number: int, job_ids: Collection[str] | None, limit: int) -> list[NumberedFact]:
        self._meddle()
        found = super().before(number, job_ids, limit)
        self._meddle()
        return found


class World:
    """A hub with its tail, and clients that come and go; the hub may be lost and made again over the same log."""

    def __init__(self) -> None:
        self.log = MeddlingLog()
        for job_id in (*STEADY, "c"):
            self.log.append(status(job_id, JobStatus.QUEUED))
        self.start()
        self.newest: dict[str, int] = {}
        self.written = 0
        self.clients: dict[int, Reader] = {}
        self.all: list[tuple[Reader, Filter, int | None, int | None]] = []

    def start(self) -> None:
        """Make a hub that knows nothing but the log, as a server that starts does."""
        self.hub = Hub(self.log, window_s=0.0)
        self.tail = Tail(self.hub, patience_s=3600)
        self.tailing = asyncio.create_task(self.tail.run())

    async def restart(self) -> None:
        """Lose the server, and with it every connection; most clients come back to the next one."""
        lost = dict(self.clients)
        for client in lost:
            await self.go(client)
        await self.stop()
        self.start()
        for client, before in lost.items():
            if client != 2:
                self._open(client, before.subscription.topic.wanted, before.last_id)

    async def stop(self) -> None:
        """End the tail; nobody may be left."""
        assert self.hub.subscribers == 0
        self.tailing.cancel()
        await asyncio.gather(self.tailing, return_exceptions=True)

    def fact(self, job_id: str) -> Insight:
        """Make a fact nobody made before."""
        self.written += 1
        if job_id == "c" and self.written % 2:
            return status("c", STATUSES[self.written // 2 % 3])
        return warning(job_id, self.written)

    def write(self, job_id: str) -> None:
        self.log.append(self.fact(job_id))
        self.tail.ring()

    async def flood(self, job_id: str) -> None:
        """Write more facts than a small ring keeps, and let them reach everybody who takes them."""
        for _ in range(6):
            self.write(job_id)
            await breathe(6)

    def meddle(self, job_id: str) -> None:
        self.log.meddling.append(self.fact(job_id))

    def latest(self, job_id: str) -> None:
        self.newest[job_id] = self.newest.get(job_id, 0) + 1
        self.hub.publish(progress(job_id, self.newest[job_id]))

    async def come(self, client: int, wanted: int) -> None:
        await self.go(client)
        self._open(client, FILTERS[wanted % len(FILTERS)], None)

    async def rewind(self, client: int, wanted: int) -> None:
        await self.go(client)
        self._open(client, FILTERS[wanted % len(FILTERS)], None, rewind=wanted)

    def stall(self, client: int) -> None:
        if client in self.clients:
            self.clients[client].stall()

    def go_on(self, client: int) -> None:
        if client in self.clients:
            self.clients[client].go_on()

    async def come_back(self, client: int, _: int) -> None:
        if (before := self.clients.get(client)) is not None:
            await before.leave()
            self._open(client, before.subscription.topic.wanted, before.last_id)

    async def go(self, client: int) -> None:
        if client in self.clients:
            await self.clients.pop(client).leave()

    def _open(self, client: int, wanted: Filter, last_id: int | None, rewind: int | None = None) -> None:
        reader = Reader(self.hub, wanted, last_id, rewind)
        self.clients[client] = reader
        self.all.append((reader, wanted, last_id, rewind))

    async def settle(self) -> None:
        """Write a last fact of each kind and wait until every client that is still there has all it may get."""
        for reader in self.clients.values():
            reader.go_on()
        while self.log.meddling:
            self.log.append(self.log.meddling.popleft())
        for job_id in (*STEADY, "c"):
            self.log.append(warning(job_id, 10**6))
            self.latest(job_id)
        self.log.append(status("c", JobStatus.COMPLETED))
        self.tail.ring()
        async with asyncio.timeout(5):
            for reader in self.clients.values():
                while not (reader.done or self._has_all(reader)):
                    await asyncio.sleep(0.001)

    def _has_all(self, reader: Reader) -> bool:
        if not reader.events:
            return False
        wanted = reader.subscription.topic
        last = max((n for n, fact in self.truth() if wanted.wants(fact.type, fact.job_id)), default=0)
        told = max(event.json["to"] if event.type == "gap" else event.id or 0 for event in reader.events)
        of_ended = {"c"} if wanted.wanted.jobs is None else set()  # no longer in the snapshot of all jobs
        current = (job for job in self.newest if wanted.wants("progress", job) and job not in of_ended)
        return told >= last and all(_newest(reader, job) == self.newest[job] for job in current)

    def truth(self) -> list[NumberedFact]:
        return MemoryFactLog.after(self.log, 0, None, 10**9)


def _newest(reader: Reader, job_id: str) -> int | None:
    values = [
        event.json["frames_done"] for event in reader.events if event.type == "progress" and event.json["job_id"] == job_id
    ]
    assert values == sorted(values), "a latest value went back"
    return values[-1] if values else None


def _check(world: World, reader: Reader, wanted: Filter, since: int | None, rewind: int | None) -> None:
    """Hold one connection against the log: `since` is the fact it resumed from, `rewind` how many it asked for again."""
    if not reader.events:
        return
    facts = {n: fact for n, fact in world.truth() if reader.subscription.topic.wants(fact.type, fact.job_id)}
    hello = reader.events[0]
    assert (hello.type, hello.id) == ("hello", hello.json["head"])
    head, cursor = hello.json["head"], since
    if rewind is not None:
        cursor = hello.json["resumed_from"]
        before = [n for n in facts if n <= head]
        assert [n for n in before if n > cursor] == (before[-rewind:] if rewind else [])
    elif cursor is None:
        cursor = head
    told: list[tuple] = []
    jobs = wanted.jobs or set(STEADY)  # whether `c` had ended at that moment, the log cannot say any more
    upto = head if since is None and rewind is None else None  # a snapshot is due, of what there was until then
    for event in reader.events[1:]:
        if event.snapshot and event.type in {"status", "warning"}:
            assert upto is not None, "a snapshot where facts were to be told again"
            told.append((event.json["job_id"], event.json.get("count"), event.json.get("status")))
        elif event.id is not None or event.type == "gap":
            _check_snapshot(facts, jobs, upto, told, complete=True)
            told, upto = [], None
            due = next((n for n in facts if n > cursor), None)
            if event.type == "gap":
                gap = event.json
                assert not [n for n in facts if cursor < n < gap["from"]], "a fact is missing before the gap"
                lost = [n for n in facts if gap["from"] <= n <= gap["to"]]
                assert (gap["reason"], gap["count"], gap["from"] > cursor) == ("slow", len(lost), True)
                cursor = upto = gap["to"]
            else:
                assert event.id == due, "a fact is missing, doubled or out of order"
                assert event.type == facts[event.id].type
                assert event.json.get("count") == getattr(facts[event.id], "count", None)
                cursor = event.id
    _check_snapshot(facts, jobs, upto, told, complete=reader.done and reader.events[-1].type == "close")
    if reader.events[-1].type == "close":
        assert wanted.one_job == "c"


def _check_snapshot(facts: dict, jobs: Collection[str], upto: int | None, told: list[tuple], *, complete: bool) -> None:
    if upto is None:
        return
    due = [
        (fact.job_id, getattr(fact, "count", None), getattr(fact, "status", None))
        for n, fact in facts.items()
        if n <= upto and fact.job_id in jobs
    ]
    seen = [fact for fact in told if fact[0] in jobs]
    assert seen == (due if complete else due[: len(seen)])


clients = st.integers(0, 2)
steps = st.one_of(
    st.tuples(st.sampled_from(["write", "meddle", "latest", "flood"]), st.sampled_from(["a", "b", "c"])),
    st.tuples(st.sampled_from(["come", "come_back", "rewind"]), clients, st.integers(0, len(FILTERS) - 1)),
    st.tuples(st.sampled_from(["go", "stall", "go_on"]), clients),
    st.tuples(st.just("breathe"), st.integers(0, 12)),
    st.tuples(st.just("restart")),
)


@pytest.mark.parametrize("ring", [3, 512])
@settings(max_examples=120, deadline=None)
@given(plan=st.lists(steps, max_size=50))
def test_every_fact_comes_once_in_order_or_as_a_gap_and_the_latest_value_is_current_in_the_end(
    ring: int, plan: list[tuple]
) -> None:
    with mock.patch.object(topic_module, "RING", ring):
        asyncio.run(_live_through(plan))


async def breathe(turns: int) -> None:
    """Let the loop turn, now and then for a little longer, so that threads can answer."""
    for _ in range(turns):
        await asyncio.sleep(random.choice((0, 0, 0.0005)))


async def _live_through(plan: list[tuple]) -> None:
    world = World()
    for name, *arguments in plan:
        if name == "breathe":
            await breathe(arguments[0])
        elif (done := getattr(world, name)(*arguments)) is not None:
            await done
    await world.settle()
    for connection in world.all:
        _check(world, *connection)
    for client in list(world.clients):
        await world.go(client)
    await world.stop()
