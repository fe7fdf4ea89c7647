"""The opening of a connection: hello, then a snapshot, or what was missed, or a gap."""

import asyncio

import msgspec
import pytest

from app.domain.insight import INSIGHT_EXAMPLES
from app.domain.job import JobStatus
from app.insights import past as past_module
from app.insights.filter import Filter
from app.insights.hub import Hub
from app.insights.log import MemoryFactLog
from app.insights.reduction import Reduction
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
    told: MemoryFactLog, hub: Hub, wanted: Filter
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
        assert not complete.subscription.busy  # nothing is on its way any more


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
    told: MemoryFactLog, wanted: Filter, last_id: int | None
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


@pytest.mark.parametrize("rewind", [0, 1, 3, 99])
@pytest.mark.parametrize("page", [1, 2, 1000])
async def test_a_rewound_connection_gets_the_last_facts_with_their_numbers(
    told: MemoryFactLog, hub: Hub, monkeypatch: pytest.MonkeyPatch, rewind: int, page: int
) -> None:
    monkeypatch.setattr(past_module, "PAGE", page)
    hub.publish(usage(1.0))
    async with Reader(hub, of(), rewind=rewind) as reader:
        words = await reader.until("usage")
        everything = ["#1 status", "#2 status", "#3 status", "#4 warning", "#5 warning", "#6 status"]
        assert words == ["#6 hello", *everything[max(0, 6 - rewind) :], "~usage"]
        resumed, first = reader.events[0].json["resumed_from"], reader.events[1].id
        assert reader.events[0].json["gap"] is False
        assert resumed == (6 if first is None else first - 1)


async def test_rewinding_counts_only_the_facts_asked_for_and_a_last_event_id_counts_more(told: MemoryFactLog, hub: Hub) -> None:
    hub.publish(usage(1.0))
    async with Reader(hub, of("a"), rewind=2) as of_job, Reader(hub, of(types="status,usage"), rewind=2) as of_type:
        assert await of_job.until("usage") == ["#6 hello", "#2 status", "#4 warning", "~usage"]
        assert await of_type.until("usage") == ["#6 hello", "#3 status", "#6 status", "~usage"]
    async with Reader(hub, of(), rewind=4, last_event_id=5) as back:
        assert await back.until("usage") == ["#6 hello", "#6 status", "~usage"]


async def test_only_jobs_and_stages_of_the_plugins_asked_for_are_told_of(log: MemoryFactLog) -> None:
    stages = {"a": {"hog": "hog", "second": "mog"}, "b": {"hog": "mog"}, "c": {"hog": "hog"}}
    read: list[str] = []

    def plugins_of(job_id: str) -> dict[str, str]:
        read.append(job_id)
        return stages[job_id]

    hub = Hub(log, plugins_of=plugins_of, window_s=0.0)
    for job_id in "ab":
        log.append(status(job_id, QUEUED))
        log.append(warning(job_id))
    await hub.catch_up()
    hub.publish(progress("a", 1))
    hub.publish(progress("b", 1))
    wanted = Filter(reduction=Reduction(frozenset({"hog"})))
    async with Reader(hub, wanted) as reader:
        assert await reader.until("progress") == ["#4 hello", "~status", "~warning", "~progress"]
        assert hub.is_watched("a", "overlay")
        assert not hub.is_watched("b", "overlay")
        log.append(msgspec.structs.replace(warning("a"), stage="second"))
        log.append(warning("b", 10))
        log.append(status("c", QUEUED))
        log.append(msgspec.structs.replace(warning("a"), stage=None))
        await hub.catch_up()
        hub.publish(progress("b", 2))
        hub.publish(progress("c", 2))
        assert (await reader.until("progress", "status", "warning", "progress"))[4:] == ["#7 status", "#8 warning", "progress"]
        assert reader.events[-1].json["job_id"] == "c"
    async with Reader(hub, wanted, rewind=2) as back:
        assert (await back.until("warning"))[1:] == ["#7 status", "#8 warning"]
    assert sorted(read) == ["a", "b", "c"], "each job is read once"


async def test_two_with_the_same_wishes_share_one_reduced_overlay(hub: Hub) -> None:
    example = INSIGHT_EXAMPLES["overlay"]
    wanted = Filter(reduction=Reduction(None, frozenset({"circle"})))
    async with Reader(hub, wanted) as one, Reader(hub, wanted) as two, Reader(hub, of()) as whole:
        for reader in (one, two, whole):
            await reader.until("hello")
        hub.publish(example)
        for reader in (one, two, whole):
            await reader.until("overlay")
    found = [reader.events[-1].json["outputs"]["people_hog"]["detections"] for reader in (one, whole)]
    assert [[detection["label"] for detection in detections] for detections in found] == [["circle"], ["circle", "square"]]
    assert one.chunks[-1] is two.chunks[-1]
