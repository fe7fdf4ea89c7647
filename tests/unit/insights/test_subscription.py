"""The opening of a connection: hello, then a snapshot, or what was missed, or a gap."""

import asyncio

import pytest

from app.domain.job import JobStatus
from app.insights import past as past_module
from app.insights import topic as topic_module
from app.insights.hub import Hub
from app.insights.log import MemoryFactLog
from tests.unit.insights.reader import Reader, brief, of, progress, status, usage, warning

pytestmark = pytest.mark.anyio
QUEUED, RUNNING, FAILED, COMPLETED = JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.FAILED, JobStatus.COMPLETED


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


async def test_a_job_that_has_ended_is_told_from_hello_to_close(told: MemoryFactLog, hub: Hub) -> None:
    async with Reader(hub, of("b")) as new, Reader(hub, of("b"), last_event_id=5) as back:
        assert await new.finish() == ["#6 hello", "~status", "~warning", "~status", "close"]
        assert await back.finish() == ["#6 hello", "#6 status", "close"]
        assert new.events[-1].json["reason"] == "failed"
    async with Reader(hub, of("b"), last_event_id=6) as complete:
        assert await complete.finish() == ["#6 hello", "close"]


async def test_a_retried_job_can_be_followed_again(told: MemoryFactLog, hub: Hub) -> None:
    async with Reader(hub, of("b"), last_event_id=4) as first:
        await first.finish()
    told.append(status("b", QUEUED, FAILED))
    async with Reader(hub, of("b"), last_event_id=5) as again:
        assert await again.until("status", "status") == ["#7 hello", "#6 status", "#7 status"]
        told.append(status("b", COMPLETED))
        await hub.catch_up()
        assert (await again.finish())[-2:] == ["#8 status", "close"]


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


@pytest.mark.parametrize("last_id", [None, 2, 6])
@pytest.mark.parametrize("wanted", [of("a"), of("a", "b"), of()])
async def test_a_fact_written_between_the_beginning_and_the_reading_of_the_log_comes_once_and_live(
    told: MemoryFactLog, wanted: topic_module.Filter, last_id: int | None
) -> None:
    class Busy(MemoryFactLog):
        def oldest(self) -> int | None:
            self.append(warning("a", 1000))
            return super().oldest()

    busy = Busy()
    for _, fact in told.after(0, None, 10):
        busy.append(fact)
    hub = Hub(busy, window_s=0.0)
    hub.publish(usage(1.0))
    async with Reader(hub, wanted, last_event_id=last_id) as reader:
        await reader.until("usage")
        await hub.catch_up()
        await reader.until("warning")
        while reader.last_id != 7:
            await asyncio.sleep(0.001)
        warned = [(event.id, event.snapshot) for event in reader.events if event.json.get("count") == 1000]
        assert warned == [(7, False)]


async def test_a_retried_job_is_in_the_snapshot_of_all_jobs_again(told: MemoryFactLog, hub: Hub) -> None:
    await hub.catch_up()
    hub.publish(progress("b", 5))
    told.append(status("b", QUEUED, FAILED))
    told.append(status("a", FAILED, RUNNING))
    await hub.catch_up()
    async with Reader(hub, of()) as reader:
        await reader.until("progress")
        assert {event.json["job_id"] for event in reader.events[1:]} == {"b"}
        told.append(status("b", FAILED))
        told.append(status("b", QUEUED))
        await hub.catch_up()
    async with Reader(hub, of()) as reader:
        await reader.until("progress")
        assert brief(reader.events)[-1] == "~progress"
