"""The live part of a connection: filters, rates, lagging, and the end of a job."""

import asyncio

import pytest

from app.domain.job import JobStatus
from app.insights import topic as topic_module
from app.insights.hub import Hub
from app.insights.log import MemoryFactLog
from tests.sse import Parser
from tests.unit.insights.reader import Reader, brief, of, progress, status, usage, warning

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


async def test_a_subscriber_that_lags_beyond_the_ring_is_told_of_the_gap_and_goes_on(
    told: MemoryFactLog, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_module, "RING", 3)
    subscription = hub.subscribe(of("a"))
    stream, parser = subscription.messages(), Parser()
    events = parser.feed(await anext(stream))
    assert brief(events) == ["#6 hello", "~status", "~status", "~warning"]

    async def write(*counts: int) -> None:
        for count in counts:
            told.append(warning("a", count))
            told.append(warning("b", count))
        await hub.catch_up()

    await write(10, 100, 1000)
    assert brief(parser.feed(await anext(stream))) == ["#7 warning", "#9 warning", "#11 warning"]
    await write(2, 3, 4, 5)
    events = parser.feed(await anext(stream))
    assert brief(events) == ["gap", "~status", "~status", *["~warning"] * 8]
    gap = events[0].json
    assert (gap["from"], gap["to"], gap["count"], gap["reason"]) == (12, 20, 4, "slow")
    await write(6)
    assert brief(parser.feed(await anext(stream))) == ["#21 warning"]
    await stream.aclose()
    subscription.leave()


async def test_a_lagging_subscriber_gets_the_newest_of_each_latest_value_only(hub: Hub) -> None:
    subscription = hub.subscribe(of("a", "b"))
    stream, parser = subscription.messages(), Parser()
    parser.feed(await anext(stream))
    for done in range(1000):
        hub.publish(progress("a", done))
        hub.publish(progress("b", 2 * done))
    events = parser.feed(await anext(stream))
    assert [event.json["frames_done"] for event in events] == [999, 1998]
    await stream.aclose()
    subscription.leave()


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
        while fast.events[-1].type != "usage" or fast.events[-1].json["cpu_percent"] != 30:
            await fast.until("usage")
            await asyncio.sleep(0.001)
        live = [event for event in slow.events if not event.snapshot][1:]
        assert [event.type for event in live].count("warning") == 30
        others = [(event.type, event.json.get("job_id")) for event in live if event.type != "warning"]
        assert sorted(others, key=str) == [("progress", "a"), ("progress", "b"), ("usage", None)]
        newest = {event.json.get("job_id"): event.json for event in fast.events if event.type in {"progress", "usage"}}
        assert newest["a"]["frames_done"] == newest["b"]["frames_done"] == 30


async def test_two_who_stand_at_the_same_place_at_different_times_both_get_everything(told: MemoryFactLog, hub: Hub) -> None:
    subscriptions = [hub.subscribe(of("a")) for _ in range(2)]
    quick, slow = (subscription.messages() for subscription in subscriptions)
    await anext(quick)
    await anext(slow)
    told.append(warning("a", 10))
    await hub.catch_up()
    assert brief(Parser().feed(await anext(quick))) == ["#7 warning"]
    told.append(warning("a", 100))
    await hub.catch_up()
    assert brief(Parser().feed(await anext(slow))) == ["#7 warning", "#8 warning"]
    assert brief(Parser().feed(await anext(quick))) == ["#8 warning"]
    for stream, subscription in zip((quick, slow), subscriptions, strict=True):
        await stream.aclose()
        subscription.leave()
