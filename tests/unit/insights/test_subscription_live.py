"""The live part of a connection: filters, rates, lagging, and the end of a job."""

import asyncio

import pytest

from app.domain.job import JobStatus
from app.insights import topic as topic_module
from app.insights.hub import Hub
from app.insights.log import MemoryFactLog
from tests.unit.insights.reader import PATIENCE_S, Reader, brief, of, progress, status, usage, warning

pytestmark = pytest.mark.anyio
QUEUED, RUNNING, FAILED, COMPLETED = JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.FAILED, JobStatus.COMPLETED


async def test_a_resumed_connection_goes_on_live(told: MemoryFactLog, hub: Hub) -> None:
    async with Reader(hub, of("a", "b"), last_event_id=5) as reader:
        await reader.until("status")
        told.append(warning("a", 10))
        told.append(warning("c", 1))
        hub.publish(progress("a", 3))
        await hub.catch_up()
        assert await reader.until("progress", "warning") == ["#6 hello", "#6 status", "progress", "#7 warning"]


async def write(log: MemoryFactLog, hub: Hub, *counts: int) -> None:
    """Write facts of two jobs and publish them."""
    for count in counts:
        log.append(warning("a", count))
        log.append(warning("b", count))
    await hub.catch_up()


async def stalled(hub: Hub, reader: Reader) -> None:
    """Stall a reader with a write on its way to it."""
    reader.stall()
    hub.publish(progress("a", 1))
    async with asyncio.timeout(5):
        while not reader.subscription.busy:
            await asyncio.sleep(0)


async def test_a_subscriber_that_lags_beyond_the_ring_is_told_of_the_gap_and_goes_on(
    told: MemoryFactLog, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_module, "RING", 3)
    async with Reader(hub, of("a")) as reader:
        assert await reader.until("warning") == ["#6 hello", "~status", "~status", "~warning"]
        await stalled(hub, reader)
        await write(told, hub, 10, 100, 1000)
        assert reader.subscription.pending_facts == 3
        reader.go_on()
        assert (await reader.until("warning", "warning", "warning"))[4:] == [
            "progress", "#7 warning", "#9 warning", "#11 warning",
        ]  # fmt: skip
        await stalled(hub, reader)
        await write(told, hub, 2, 3, 4, 5)
        reader.go_on()
        words = (await reader.until("progress", "gap", "status", "status", *["warning"] * 8, "progress"))[8:]
        assert words == ["progress", "gap", "~status", "~status", *["~warning"] * 8, "~progress"]
        gap = reader.events[9].json
        assert (gap["from"], gap["to"], gap["count"], gap["reason"]) == (12, 20, 4, "slow")
        assert (reader.subscription.dropped, hub.totals.dropped) == (4, 4)
        await write(told, hub, 6)
        assert (await reader.until("warning"))[-1] == "#21 warning"


async def test_who_lags_beyond_the_ring_of_a_job_that_ends_is_told_of_the_gap_before_the_end(
    told: MemoryFactLog, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_module, "RING", 3)
    async with Reader(hub, of("a")) as reader:
        await reader.until("warning")
        await stalled(hub, reader)
        await write(told, hub, 2, 3, 4)
        told.append(status("a", FAILED, RUNNING))
        await hub.catch_up()
        reader.go_on()
        words = (await reader.finish())[4:]
        assert words == ["progress", "gap", "~status", "~status", *["~warning"] * 4, "~status", "~progress", "close"]
        assert [event.json["status"] for event in reader.events if event.type == "status"][-1] == "failed"


async def test_a_lagging_subscriber_gets_the_newest_of_each_latest_value_only(hub: Hub) -> None:
    async with Reader(hub, of("a", "b")) as reader, Reader(hub, of("a", "b")) as quick:
        await reader.until("hello")
        await quick.until("hello")
        await stalled(hub, reader)
        for done in range(2, 1000):
            hub.publish(progress("a", done))
            hub.publish(progress("b", 2 * done))
            await asyncio.sleep(0)
        reader.go_on()
        await reader.until("progress", "progress", "progress")
        assert [event.json["frames_done"] for event in reader.events[1:]] == [1, 999, 1998]
        assert quick.events[-1].json["frames_done"] == 1998
        assert len(quick.events) > 100
        counts = reader.subscription
        assert (counts.delivered, counts.conflated, counts.dropped) == (3, 2 * 997, 0)


async def test_what_a_subscription_has_cost_is_counted_and_kept_when_it_left(told: MemoryFactLog, hub: Hub) -> None:
    async with Reader(hub, of("a")) as reader, Reader(hub, of("b", types="warning")) as other:
        await reader.until("warning")
        await other.until("warning", "close")
        told.append(warning("a", 10))
        hub.publish(progress("a", 1))
        await hub.catch_up()
        await reader.until("progress", "warning")
        (counts,) = hub.subscriptions()
        assert counts is reader.subscription
        assert (counts.delivered, counts.pending_facts, counts.lag_ms) == (2, 0, 0.0)
        assert counts.bytes_sent == sum(map(len, reader.chunks))
        assert counts.cursor.head == 7
        reader.stall()
        told.append(warning("a", 100))
        await hub.catch_up()
        while not counts.busy:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        assert counts.lag_ms > 0
    totals = hub.totals
    assert (hub.published, totals.delivered, totals.conflated, totals.dropped) == (3, 3, 0, 0)
    assert totals.bytes_sent == counts.bytes_sent + other.subscription.bytes_sent


async def test_a_subscriber_that_takes_nothing_for_too_long_is_cut_and_one_that_takes_a_little_is_not(
    told: MemoryFactLog,
) -> None:
    hub = Hub(told, window_s=0.0, patience_s=0.2)
    readers = [Reader(hub, of("a")) for _ in range(4)]
    async with readers[0] as stuck, readers[1] as full, readers[2] as slow, readers[3] as quick:
        left = iter(range(150, 0, -1))
        slow.subscription.attach(slow._take, unsent=lambda: next(left), cut=slow._cut)
        full.subscription.attach(full._take, unsent=lambda: 100, cut=full._cut)
        for reader in readers:
            await reader.until("warning")
            assert not reader.subscription.busy
        for reader in (stuck, full, slow):
            reader.stall()
        hub.publish(progress("a", 1))
        async with asyncio.timeout(PATIENCE_S):
            while not (stuck.was_cut and full.was_cut):
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        hub.publish(progress("a", 2))
        await quick.until("progress", "progress")
        assert (slow.was_cut, quick.was_cut, hub.subscribers) == (False, False, 2)
        slow.go_on()
        await slow.until("progress", "progress")


async def test_an_opening_that_is_not_taken_is_on_its_way_and_cut_after_too_long(told: MemoryFactLog) -> None:
    hub = Hub(told, window_s=0.0, patience_s=0.2)
    async with Reader(hub, of("a")) as stuck:
        stuck.stall()
        assert (stuck.subscription.busy, stuck.subscription.lag_ms) == (False, 0.0)
        async with asyncio.timeout(PATIENCE_S):
            while not stuck.subscription.lag_ms:
                await asyncio.sleep(0.001)
            assert stuck.subscription.busy
            while not stuck.was_cut:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # the other loop's clock knows whole milliseconds only
async def test_the_lag_is_the_time_for_which_nothing_was_taken(hub: Hub) -> None:
    loop, told = asyncio.get_running_loop(), []
    async with Reader(hub, of("a")) as reader:
        await reader.until("hello")
        begun = loop.time()
        await stalled(hub, reader)
        for _ in range(8):
            await asyncio.sleep(0.04)
            told.append((loop.time(), reader.subscription.lag_ms, loop.time()))
    lags = [lag for _, lag, _ in told]
    assert lags == [round(lag, 1) for lag in lags]
    assert any(lag % 1 for lag in lags)
    (first, _, first_after), (last, _, last_after) = told[0], told[-1]
    assert lags[0] <= (first_after - begun) * 1000 + 0.1
    assert (last - first_after) * 1000 - 0.1 <= lags[-1] - lags[0] <= (last_after - first) * 1000 + 0.1


async def test_a_quiet_connection_is_kept_open_by_comments_and_a_busy_one_needs_none(told: MemoryFactLog) -> None:
    hub = Hub(told, window_s=0.0, heartbeat_s=0.1)
    loop, pauses = asyncio.get_running_loop(), [0.0]
    async with Reader(hub, of("a")) as quiet, Reader(hub, of("a", "b")) as busy:
        await quiet.until("warning")
        async with asyncio.timeout(PATIENCE_S):
            while len(quiet.parser.comments) < 3:
                hub.publish(progress("b", 1))
                begun = loop.time()
                await asyncio.sleep(0.01)
                pauses.append(loop.time() - begun)
        assert set(quiet.parser.comments) == {"still here"}
        assert len(busy.events) > 1
        assert busy.parser.comments == [] or max(pauses) > 0.05  # this machine stood still: nobody was busy then


async def test_a_connection_that_breaks_in_the_middle_of_a_write_costs_the_others_nothing(
    told: MemoryFactLog, hub: Hub
) -> None:
    async def broken(_data: bytes) -> None:
        raise OSError("the other side is gone")

    async def broken_later(_data: bytes) -> None:
        await asyncio.sleep(0)
        raise OSError("the other side is gone")

    async with Reader(hub, of("a")) as first, Reader(hub, of("a")) as later, Reader(hub, of("a")) as whole:
        for reader in (first, later, whole):
            await reader.until("warning")
        first.subscription.attach(broken, cut=first._cut)
        later.subscription.attach(broken_later, cut=later._cut)
        hub.publish(progress("a", 1))
        await whole.until("progress")
        while hub.subscribers > 1:
            await asyncio.sleep(0.001)
        assert first.was_cut
        assert later.was_cut
        hub.publish(progress("a", 2))
        await whole.until("progress", "progress")


async def test_the_end_of_the_one_job_comes_after_all_that_was_published_before(told: MemoryFactLog, hub: Hub) -> None:
    async with Reader(hub, of("a")) as reader, Reader(hub, of("a", max_rate=0.001)) as slow:
        await reader.until("warning")
        await slow.until("warning")
        for done in (1, 50, 100):
            hub.publish(progress("a", done))
            await asyncio.sleep(0.005)
        told.append(warning("a", 10))
        told.append(status("a", COMPLETED, RUNNING))
        await hub.catch_up()
        assert (await slow.finish())[4:] == ["progress", "#7 warning", "progress", "#8 status", "close"]
        assert (await reader.finish())[-4:] == ["progress", "#7 warning", "#8 status", "close"]
        for events in (slow.events, reader.events):
            assert [event.json["frames_done"] for event in events if event.type == "progress"][-1] == 100
            assert events[-1].json["reason"] == "completed"


async def test_the_end_is_told_whatever_the_types(told: MemoryFactLog, hub: Hub) -> None:
    async with Reader(hub, of("a", types="metrics")) as reader:
        await reader.until("hello")
        told.append(status("a", FAILED, RUNNING))
        await hub.catch_up()
        assert await reader.finish() == ["#6 hello", "close"]


async def test_of_two_jobs_the_end_of_one_ends_nothing(told: MemoryFactLog, hub: Hub) -> None:
    async with Reader(hub, of("a", "b")) as reader:
        await reader.until("status")
        told.append(status("a", COMPLETED, RUNNING))
        told.append(warning("b", 10))
        await hub.catch_up()
        assert (await reader.until("status", "warning"))[-2:] == ["#7 status", "#8 warning"]


async def test_a_job_retried_before_its_end_was_told_goes_on(told: MemoryFactLog, hub: Hub) -> None:
    async with Reader(hub, of("a")) as reader:
        await reader.until("warning")
        told.append(status("a", FAILED, RUNNING))
        told.append(status("a", QUEUED, FAILED))
        await hub.catch_up()
        await reader.until("status", "status")
        told.append(warning("a", 10))
        await hub.catch_up()
        assert (await reader.until("warning"))[-3:] == ["#7 status", "#8 status", "#9 warning"]


async def test_types_leave_out_everything_else(told: MemoryFactLog, hub: Hub) -> None:
    hub.publish(progress("a", 1))
    hub.publish(usage(1.0))
    async with Reader(hub, of("a", types="warning,usage")) as new, Reader(hub, of(types="status"), last_event_id=0) as back:
        assert await new.until("usage") == ["#6 hello", "~warning", "~usage"]
        told.append(status("a", RUNNING))
        told.append(warning("a", 10))
        hub.publish(progress("a", 2))
        hub.publish(usage(2.0))
        await hub.catch_up()
        assert (await new.until("warning"))[3:] == ["usage", "#8 warning"]
        assert (await back.until(*["status"] * 5))[1:] == ["#1 status", "#2 status", "#3 status", "#6 status", "#7 status"]


async def test_a_rate_holds_for_each_type_and_job_and_never_for_facts(told: MemoryFactLog, hub: Hub) -> None:
    async with Reader(hub, of("a", "b", max_rate=0.001)) as slow, Reader(hub, of("a", "b", max_rate=200.0)) as fast:
        await slow.until("status")
        await fast.until("status")
        for done in range(1, 31):
            hub.publish(progress("a", done))
            hub.publish(progress("b", done))
            hub.publish(usage(done))
            told.append(warning("a", done))
            await hub.catch_up()
            await asyncio.sleep(0.001)
        await slow.had(lambda event: event.type == "warning" and not event.snapshot and event.json["count"] == 30)
        await fast.had(lambda event: event.type == "usage" and event.json["cpu_percent"] == 30)
        for job_id in ("a", "b"):
            await fast.had(lambda event, of=job_id: event.json.get("job_id") == of and event.json.get("frames_done") == 30)
        live = [event for event in slow.events if not event.snapshot][1:]
        assert [event.type for event in live].count("warning") == 30
        others = [(event.type, event.json.get("job_id")) for event in live if event.type != "warning"]
        assert sorted(others, key=str) == [("progress", "a"), ("progress", "b"), ("usage", None)]
        newest = {event.json.get("job_id"): event.json for event in fast.events if event.type in {"progress", "usage"}}
        assert newest["a"]["frames_done"] == newest["b"]["frames_done"] == 30


async def test_two_who_stand_at_the_same_place_at_different_times_both_get_everything(told: MemoryFactLog, hub: Hub) -> None:
    async with Reader(hub, of("a")) as quick, Reader(hub, of("a")) as slow:
        await quick.until("warning")
        await slow.until("warning")
        slow.stall()
        await write(told, hub, 10)
        await quick.until("warning", "warning")
        await write(told, hub, 100)
        await quick.until("warning", "warning", "warning")
        slow.go_on()
        await slow.until("warning", "warning", "warning")
        for reader in (quick, slow):
            assert brief(reader.events)[4:] == ["#7 warning", "#9 warning"]
