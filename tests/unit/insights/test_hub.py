"""The hub: one encoding for all, one tick for all, and nothing done for what nobody wants."""

import asyncio

import pytest

from app.domain.insight import Insight
from app.domain.job import JobStatus
from app.insights import hub as hub_module
from app.insights.hub import Hub
from app.insights.log import MemoryFactLog
from tests.unit.insights.reader import Reader, brief, of, progress, status, usage, warning

pytestmark = pytest.mark.anyio
RUNNING, COMPLETED, FAILED, QUEUED = JobStatus.RUNNING, JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.QUEUED


class Page:
    """An HTML channel that remembers what it was asked to encode."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, insight: Insight, _number: int | None) -> bytes | None:
        """Show progress and status, in two lines."""
        if insight.type == "hello":
            return None
        self.asked.append(insight.type)
        return f"<p>\n{insight.type}</p>".encode()


async def test_many_subscribers_with_one_filter_share_the_same_bytes(log: MemoryFactLog, hub: Hub) -> None:
    readers = [Reader(hub, of("a")) for _ in range(20)]
    for reader in readers:
        await reader.until("hello")
    hub.publish(progress("a", 1))
    log.append(warning("a"))
    await hub.catch_up()
    for reader in readers:
        await reader.until("progress", "warning")
    last = {id(reader.chunks[-1]) for reader in readers}
    assert len(last) == 1, "the bytes were joined more than once"
    for reader in readers:
        await reader.leave()


async def test_nothing_is_encoded_while_nobody_reads_and_once_when_many_do(log: MemoryFactLog, hub: Hub) -> None:
    page = Page()
    hub.channel("html:job", page.encode)
    hub.publish(progress("a", 1))
    log.append(warning("a"))
    await hub.catch_up()
    assert page.asked == []
    readers = [Reader(hub, of("a", channel="html:job")) for _ in range(5)]
    for reader in readers:
        await reader.until("message", "message", "message")
    page.asked.clear()
    hub.publish(progress("b", 1))
    hub.publish(progress("a", 2))
    for reader in readers:
        await reader.until("message", "message", "message", "message")
        assert reader.events[-1].data == "<p>\nprogress</p>"
        await reader.leave()
    assert page.asked == ["progress"]
    hub.publish(progress("a", 3))
    await asyncio.sleep(0.01)
    assert page.asked == ["progress"]


async def test_a_job_is_watched_while_somebody_wants_just_that_of_it(hub: Hub) -> None:
    hub.channel("html:devices", lambda *_: b"", types={"usage"})
    assert not hub.is_watched("a", "overlay")
    wants_all = hub.subscribe(of("a"))
    assert hub.is_watched("a", "overlay")
    assert not hub.is_watched("b", "overlay")
    assert hub.is_watched(None, "usage")
    wants_progress = hub.subscribe(of("b", types="progress"))
    on_page = hub.subscribe(of(channel="html:devices"))
    assert not hub.is_watched("b", "overlay")
    assert hub.is_watched("b", "progress")
    assert hub.subscribers == 3
    for subscription in (wants_all, wants_all, wants_progress, on_page):
        subscription.leave()
    assert not hub.is_watched("a", "overlay")
    assert hub.subscribers == 0


async def test_what_comes_within_the_window_goes_out_as_one_write_and_the_first_at_once(log: MemoryFactLog) -> None:
    hub = Hub(log, window_s=3600)
    async with Reader(hub, of("a")) as reader:
        await reader.until("hello")
        hub.publish(progress("a", 1))
        await reader.until("progress")
        for done in range(2, 9):
            hub.publish(progress("a", done))
        log.append(warning("a"))
        await hub.catch_up()
        await asyncio.sleep(0.02)
        assert brief(reader.events) == ["#0 hello", "progress"], "the window is not over"
    late = Reader(Hub(log, window_s=0.0), of("a"), last_event_id=0)
    assert await late.until("warning") == ["#1 hello", "#1 warning"]
    await late.leave()


async def test_only_latest_values_are_published_and_facts_come_through_the_log(hub: Hub) -> None:
    with pytest.raises(ValueError, match="'status' is not latest-wins"):
        hub.publish(status("a", RUNNING))


async def test_a_fact_published_twice_or_late_is_told_once(log: MemoryFactLog, hub: Hub) -> None:
    async with Reader(hub, of()) as reader:
        await reader.until("hello")
        log.append(warning("a", 1))
        log.append(warning("a", 10))
        await asyncio.gather(*(hub.catch_up() for _ in range(5)))
        hub.publish_fact(1, warning("a", 1))
        assert await reader.until("warning", "warning") == ["#0 hello", "#1 warning", "#2 warning"]
        await asyncio.sleep(0.01)
        assert len(reader.events) == 3


async def test_a_forgotten_job_is_in_no_snapshot(hub: Hub) -> None:
    async with Reader(hub, of("a", max_rate=0.001)) as first:
        await first.until("hello")
        hub.publish(progress("a", 1))
        await first.until("progress")
        hub.publish(progress("a", 2))
        hub.publish(usage(1.0))
        hub.forget("a")
        async with Reader(hub, of("a", max_rate=0.001)) as second:
            assert await second.until("usage") == ["#0 hello", "~usage"]


async def test_latest_values_of_jobs_that_ended_long_ago_are_let_go(
    log: MemoryFactLog, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "_ENDED_KEPT", 2)
    await hub.catch_up()
    for job_id in "abcd":
        hub.publish(progress(job_id, 7))
        log.append(status(job_id, COMPLETED if job_id != "d" else FAILED))
    log.append(status("d", QUEUED, FAILED))
    hub.publish(progress("e", 1))
    log.append(status("e", RUNNING))
    await hub.catch_up()
    for job_id, kept in [("a", []), ("b", []), ("c", ["~progress"]), ("d", ["~progress"])]:
        async with Reader(hub, of(job_id, types="progress")) as reader:
            await reader.until(*(["hello"] if not kept else ["hello", "progress"]), *(["close"] if job_id != "d" else []))
            assert [word for word in brief(reader.events) if word == "~progress"] == kept


async def test_closing_ends_every_stream_with_close_and_the_reason_also_for_who_comes_late(hub: Hub) -> None:
    early, everything = Reader(hub, of("a")), Reader(hub, of(types="usage"))
    await early.until("hello")
    await everything.until("hello")
    await hub.close("shutdown")
    late = Reader(hub, of("a"))
    for reader in (early, everything, late):
        assert await reader.finish() == ["#0 hello", "close"]
        assert reader.events[-1].json["reason"] == "shutdown"
    assert hub.subscribers == 0


async def test_closing_cuts_whoever_does_not_take_the_close(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "_FAREWELL_S", 0.05)
    stuck = Reader(hub, of("a"))
    await stuck.until("hello")
    stuck.stall()
    hub.publish(progress("a", 1))
    await asyncio.sleep(0.01)
    await hub.close("shutdown")
    assert stuck.was_cut
    assert hub.subscribers == 0


async def test_the_window_grows_with_the_subscribers_between_bounds(log: MemoryFactLog) -> None:
    hub = Hub(log)
    windows = {0: hub.window_s}
    idle = [hub.subscribe(of("b"))]
    for count in (100, 500, 2000):
        idle += [hub.subscribe(of("b")) for _ in range(count - len(idle))]
        windows[count] = hub.window_s
    assert windows == {0: 0.05, 100: 0.05, 500: pytest.approx(0.1), 2000: 0.25}
    for subscription in idle:
        subscription.leave()
    assert hub.window_s == 0.05


async def test_an_insight_that_breaks_one_channel_is_told_by_the_others(hub: Hub) -> None:
    errors: list[BaseException] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: errors.append(context["exception"]))

    def encode(insight: Insight, _number: int | None) -> bytes:
        if insight.type == "usage":
            raise ZeroDivisionError("a template is wrong")
        return insight.type.encode()

    hub.channel("html:job", encode)
    page, *readers = [Reader(hub, each) for each in (of(channel="html:job"), of("a"), of(), of("b"))]
    await page.until("message")
    for reader in readers:
        await reader.until("hello")
    hub.publish(usage(1.0))
    for reader in readers:
        await reader.until("usage")
    assert [type(error) for error in errors] == [ZeroDivisionError]
    assert len(page.events) == 1
    for reader in (page, *readers):
        await reader.leave()


async def test_a_channel_there_is_not_is_refused(hub: Hub) -> None:
    with pytest.raises(KeyError):
        hub.subscribe(of(channel="html:nowhere"))
    assert hub.subscribers == 0
    assert list(hub.channels) == ["json"]
