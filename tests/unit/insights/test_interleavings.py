"""Any order of writing, reading, coming, going and coming back: each fact once and in order, latest values current."""

import asyncio
import random
from collections import deque
from collections.abc import Collection

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.insight import Insight
from app.domain.job import JobStatus
from app.insights.hub import Hub
from app.insights.log import MemoryFactLog, NumberedFact
from app.insights.tail import Tail
from app.insights.topic import Filter
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

    def of_job(self, job_id: str) -> list[NumberedFact]:
        self._meddle()
        found = super().of_job(job_id)
        self._meddle()
        return found


class World:
    """A hub with its tail, and clients that come and go."""

    def __init__(self) -> None:
        self.log = MeddlingLog()
        for job_id in (*STEADY, "c"):
            self.log.append(status(job_id, JobStatus.QUEUED))
        self.hub = Hub(self.log, window_s=0.0)
        self.tail = Tail(self.hub, patience_s=3600)
        self.newest: dict[str, int] = {}
        self.written = 0
        self.clients: dict[int, Reader] = {}
        self.all: list[tuple[Reader, Filter, int | None]] = []

    def fact(self, job_id: str) -> Insight:
        """Make a fact nobody made before."""
        self.written += 1
        if job_id == "c" and self.written % 2:
            return status("c", STATUSES[self.written // 2 % 3])
        return warning(job_id, self.written)

    def write(self, job_id: str) -> None:
        self.log.append(self.fact(job_id))
        self.tail.ring()

    def meddle(self, job_id: str) -> None:
        self.log.meddling.append(self.fact(job_id))

    def latest(self, job_id: str) -> None:
        self.newest[job_id] = self.newest.get(job_id, 0) + 1
        self.hub.publish(progress(job_id, self.newest[job_id]))

    async def come(self, client: int, wanted: int) -> None:
        await self.go(client)
        self._open(client, FILTERS[wanted % len(FILTERS)], None)

    async def come_back(self, client: int, _: int) -> None:
        if (before := self.clients.get(client)) is not None:
            await before.leave()
            self._open(client, before.subscription.topic.wanted, before.last_id)

    async def go(self, client: int) -> None:
        if client in self.clients:
            await self.clients.pop(client).leave()

    def _open(self, client: int, wanted: Filter, last_id: int | None) -> None:
        reader = Reader(self.hub, wanted, last_id)
        self.clients[client] = reader
        self.all.append((reader, wanted, last_id))

    async def settle(self) -> None:
        """Write a last fact of each kind and wait until every client that is still there has all it may get."""
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
        told = max((event.id or 0 for event in reader.events), default=0)
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


def _check(world: World, reader: Reader, wanted: Filter, last_id: int | None) -> None:
    """Hold one connection against the log."""
    if not reader.events:
        return
    facts = {n: fact for n, fact in world.truth() if reader.subscription.topic.wants(fact.type, fact.job_id)}
    assert reader.events[0].type == "hello"
    head = reader.events[0].json["head"]
    assert reader.events[0].id == head
    assert "gap" not in {event.type for event in reader.events}
    live = [event.id for event in reader.events[1:] if event.id is not None]
    due = [n for n in facts if n > (head if last_id is None else last_id)]
    assert live == due[: len(live)], "a fact is missing, doubled or out of order"
    for event in reader.events[1:]:
        if event.id is not None:
            assert event.type == facts[event.id].type
            assert event.json.get("count") == getattr(facts[event.id], "count", None)
    told = [event.json for event in reader.events if event.snapshot and event.type in {"status", "warning"}]
    if last_id is not None:
        assert told == []
        return
    jobs = wanted.jobs or set(STEADY)  # whether `c` had ended at that moment, the log cannot say any more
    before = [fact for n, fact in facts.items() if n <= head and fact.job_id in jobs]
    seen = [(fact["job_id"], fact.get("count"), fact.get("status")) for fact in told if fact["job_id"] in jobs]
    expected = [(fact.job_id, getattr(fact, "count", None), getattr(fact, "status", None)) for fact in before]
    assert seen == expected[: len(seen)]
    if live or reader.done:
        assert seen == expected
    if reader.done and reader.events[-1].type == "close":
        assert wanted.one_job == "c"


steps = st.one_of(
    st.tuples(st.sampled_from(["write", "meddle", "latest"]), st.sampled_from(["a", "b", "c"])),
    st.tuples(st.sampled_from(["come", "come_back"]), st.integers(0, 2), st.integers(0, len(FILTERS) - 1)),
    st.tuples(st.just("go"), st.integers(0, 2)),
    st.tuples(st.just("breathe"), st.integers(0, 12)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, max_size=40))
def test_every_fact_comes_once_in_order_and_the_latest_value_is_current_in_the_end(plan: list[tuple]) -> None:
    asyncio.run(_live_through(plan))


async def _live_through(plan: list[tuple]) -> None:
    world = World()
    tail = asyncio.create_task(world.tail.run())
    for name, *arguments in plan:
        if name == "breathe":
            for _ in range(arguments[0]):
                await asyncio.sleep(random.choice((0, 0, 0.0005)))
        elif (done := getattr(world, name)(*arguments)) is not None:
            await done
    await world.settle()
    for reader, wanted, last_id in world.all:
        _check(world, reader, wanted, last_id)
    for client in list(world.clients):
        await world.go(client)
    tail.cancel()
    await asyncio.gather(tail, return_exceptions=True)
    assert world.hub.subscribers == 0
