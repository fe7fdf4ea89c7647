"""A connection from hello to close: snapshot, resume, gaps, filters and the end of a job."""

import asyncio

import pytest

from app.domain.job import JobStatus
from app.insights import past as past_module
from app.insights import topic as topic_module
from app.insights.hub import Hub
from app.insights.log import MemoryFactLog
from tests.sse import Parser
from tests.unit.insights.reader import Reader, brief, of, progress, status, usage, warning

pytestmark = pytest.mark.anyio
QUEUED, RUNNING, FAILED, COMPLETED = JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.FAILED, JobStatus.COMPLETED


@pytest.fixture
def told(log: MemoryFactLog) -> MemoryFactLog:
    """A log of two jobs: `a` runs (1, 2, 4), `b` has failed (3, 5, 6)."""
    for fact in (
        status("a", QUEUED), status("a", RUNNING, QUEUED), status("b", QUEUED), warning("a"), warning("b"),
        status("b", FAILED, RUNNING),
    ):  # fmt: skip
        log.append(fact)
    return log


async def test_a_new_connection_gets_hello_then_the_facts_so_far_then_the_latest_values(told: MemoryFactLog, hub: Hub) -> None:
    for insight in (progress("a", 1), progress("a", 2), progress("b", 9), usage(50.0)):
        hub.publish(insight)
    async with Reader(hub, of("a")) as reader:
        assert await reader.until("progress", "usage") == [
            "#6 hello", "~status", "~status", "~warning", "~progress", "~usage",
        ]  # fmt: skip
        hello, *_, latest, _usage = (event.json for event in reader.events)
        assert {**hello, "at": ""} == {"at": "", "head": 6, "oldest": 1, "resumed_from": None, "gap": False}
        assert latest["frames_done"] == 2
        assert [event.json["job_id"] for event in reader.events[1:-1]] == ["a"] * 4


async def test_of_all_jobs_the_snapshot_holds_those_that_have_not_ended(told: MemoryFactLog, hub: Hub) -> None:
    await hub.catch_up()
    told.append(status("c", QUEUED))
    told.append(status("c", COMPLETED))
    hub.publish(progress("c", 100))
    hub.publish(progress("a", 7))
    async with Reader(hub, of()) as reader:
        assert await reader.until("progress") == ["#8 hello", "~status", "~status", "~warning", "~progress"]
        assert {event.json["job_id"] for event in reader.events[1:]} == {"a"}


@pytest.mark.parametrize("last_id", range(7))
async def test_a_resumed_connection_gets_exactly_the_missed_facts_then_the_latest_values(
    told: MemoryFactLog, hub: Hub, last_id: int
) -> None:
    hub.publish(usage(1.0))
    async with Reader(hub, of(), last_event_id=last_id) as reader:
        words = await reader.until("usage")
    kinds = ["status", "status", "status", "warning", "warning", "status"]
    missed = [f"#{number} {kind}" for number, kind in enumerate(kinds, 1) if number > last_id]
    assert words == ["#6 hello", *missed, "~usage"]
    assert reader.events[0].json["resumed_from"] == last_id
    assert reader.events[0].json["gap"] is False


async def test_a_resumed_connection_goes_on_live(told: MemoryFactLog, hub: Hub) -> None:
    async with Reader(hub, of("a", "b"), last_event_id=5) as reader:
        await reader.until("status")
        told.append(warning("a", 10))
        told.append(warning("c", 1))
        hub.publish(progress("a", 3))
        await hub.catch_up()
        assert await reader.until("progress", "warning") == ["#6 hello", "#6 status", "progress", "#7 warning"]


async def test_many_facts_are_read_and_sent_some_at_a_time(
    told: MemoryFactLog, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_module, "PAGE", 2)
    async with Reader(hub, of("a", "b"), last_event_id=1) as reader:
        assert await reader.until("status", "warning", "warning", "status") == [
            "#6 hello", "#2 status", "#3 status", "#4 warning", "#5 warning", "#6 status",
        ]  # fmt: skip
        assert len(reader.chunks) == 3


@pytest.mark.parametrize("wanted", [of("a"), of("a", "b"), of()])
async def test_facts_that_are_not_kept_any_more_are_a_gap_and_a_snapshot_follows(
    told: MemoryFactLog, hub: Hub, wanted: topic_module.Filter
) -> None:
    told.drop("a")
    told.append(warning("b", 10))
    told.append(status("a", RUNNING))
    async with Reader(hub, wanted, last_event_id=1) as reader:
        words = await reader.until("status")
    assert words[:2] == ["#8 hello", "gap"]
    assert all(word.startswith("~") for word in words[2:])
    hello, gap = reader.events[0].json, reader.events[1].json
    assert (hello["gap"], hello["resumed_from"], hello["oldest"]) == (True, 1, 3)
    assert {**gap, "at": ""} == {"at": "", "from": 2, "to": 2, "count": 1, "reason": "evicted"}
    expected = {"a"} if wanted.jobs == {"a"} else {"a", "b"}
    assert {event.json["job_id"] for event in reader.events[2:]} == expected


async def test_the_number_just_before_the_oldest_fact_misses_nothing(told: MemoryFactLog, hub: Hub) -> None:
    told.drop("a")
    async with Reader(hub, of(), last_event_id=2) as reader:
        assert await reader.until("warning", "status") == ["#6 hello", "#3 status", "#5 warning", "#6 status"]


async def test_a_number_never_given_here_is_a_gap(told: MemoryFactLog, hub: Hub) -> None:
    async with Reader(hub, of(), last_event_id=9) as reader:
        assert await reader.until("warning") == ["#6 hello", "gap", "~status", "~status", "~warning"]
    assert reader.events[0].json["gap"] is True
    gap = reader.events[1].json
    assert (gap["from"], gap["to"], gap["count"], gap["reason"]) == (7, 9, 3, "evicted")


async def test_a_log_that_lost_everything_is_a_gap_only_for_who_had_not_all(told: MemoryFactLog, hub: Hub) -> None:
    told.drop("a")
    told.drop("b")
    async with Reader(hub, of(), last_event_id=6) as complete, Reader(hub, of(), last_event_id=4) as lacking:
        assert await complete.until("hello") == ["#6 hello"]
        assert await lacking.until("gap") == ["#6 hello", "gap"]
        assert complete.events[0].json["oldest"] is None
        assert lacking.events[1].json["from"] == 5
        assert lacking.events[1].json["to"] == 6


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


async def test_a_job_that_has_ended_is_told_from_hello_to_close(told: MemoryFactLog, hub: Hub) -> None:
    async with Reader(hub, of("b")) as new, Reader(hub, of("b"), last_event_id=5) as back:
        assert await new.finish() == ["#6 hello", "~status", "~warning", "~status", "close"]
        assert await back.finish() == ["#6 hello", "#6 status", "close"]
        assert new.events[-1].json["reason"] == "failed"
    async with Reader(hub, of("b"), last_event_id=6) as complete:
        assert await complete.finish() == ["#6 hello", "close"]


async def test_of_two_jobs_the_end_of_one_ends_nothing(told: MemoryFactLog, hub: Hub) -> None:
    async with Reader(hub, of("a", "b")) as reader:
        await reader.until("status")
        told.append(status("a", COMPLETED, RUNNING))
        told.append(warning("b", 10))
        await hub.catch_up()
        assert (await reader.until("status", "warning"))[-2:] == ["#7 status", "#8 warning"]


async def test_a_retried_job_can_be_followed_again(told: MemoryFactLog, hub: Hub) -> None:
    async with Reader(hub, of("b"), last_event_id=4) as first:
        await first.finish()
    told.append(status("b", QUEUED, FAILED))
    async with Reader(hub, of("b"), last_event_id=5) as again:
        assert await again.until("status", "status") == ["#7 hello", "#6 status", "#7 status"]
        told.append(status("b", COMPLETED))
        await hub.catch_up()
        assert (await again.finish())[-2:] == ["#8 status", "close"]


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


async def test_after_a_restart_the_snapshot_asks_the_store_for_latest_values(told: MemoryFactLog) -> None:
    asked = []

    def latest_of(job_id: str) -> list[object]:
        asked.append(job_id)
        return [progress(job_id, 77)]

    hub = Hub(told, latest_of=latest_of, open_jobs=lambda: {"a", "c"}, window_s=0.0)  # type: ignore[arg-type]  # as it is
    hub.publish(progress("c", 3))
    for wanted, last_id in [(of("a"), None), (of("a"), 6), (of(), 6)]:
        async with Reader(hub, wanted, last_event_id=last_id) as reader:
            await reader.until(*["progress"] * (1 if wanted.jobs else 2))
            done = {event.json["job_id"]: event.json["frames_done"] for event in reader.events if event.type == "progress"}
            assert done == ({"a": 77} if wanted.jobs else {"a": 77, "c": 3})
            assert reader.events[-1].snapshot
    assert asked == ["a", "a", "a"]
    async with Reader(hub, of("a", types="metrics")) as reader:
        assert await reader.until("hello") == ["#6 hello"]


async def test_a_connection_over_a_restart_misses_and_doubles_nothing(told: MemoryFactLog, hub: Hub) -> None:
    async with Reader(hub, of("a"), last_event_id=2) as before:
        await before.until("warning")
    told.append(warning("a", 10))
    restarted = Hub(told, window_s=0.0)
    told.append(warning("a", 100))
    async with Reader(restarted, of("a"), last_event_id=before.last_id) as after:
        await after.until("warning", "warning")
        told.append(warning("a", 1000))
        await restarted.catch_up()
        assert (await after.until("warning", "warning", "warning")) == ["#8 hello", "#7 warning", "#8 warning", "#9 warning"]


async def test_a_fact_deleted_before_it_was_published_leaves_no_one_behind(told: MemoryFactLog, hub: Hub) -> None:
    await hub.catch_up()
    told.append(status("c", QUEUED))
    told.drop("c")
    async with Reader(hub, of("a"), last_event_id=7) as reader:
        assert await reader.until("hello") == ["#7 hello"]
        assert reader.events[0].json["gap"] is False
        told.append(warning("a", 10))
        await hub.catch_up()
        assert await reader.until("warning") == ["#7 hello", "#8 warning"]
