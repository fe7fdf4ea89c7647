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


async def test_closing_ends_every_stream_with_a_comment_and_no_close(hub: Hub) -> None:
    early = Reader(hub, of("a"))
    await early.until("hello")

    async def serve_until_it_ends() -> None:
        await early.finish()
        early.subscription.leave()

    serving = asyncio.create_task(serve_until_it_ends())
    await hub.close("the server stops")
    await serving
    assert brief(early.events) == ["#0 hello"]
    assert early.parser.comments == ["the server stops"]
    assert hub.subscribers == 0
    late = Reader(hub, of("a"))
    assert await late.finish() == ["#0 hello"]
    assert late.parser.comments == ["the server stops"]
    late.subscription.leave()


async def test_a_channel_there_is_not_is_refused(hub: Hub) -> None:
    with pytest.raises(KeyError):
        hub.subscribe(of(channel="html:nowhere"))
    assert hub.subscribers == 0
    assert list(hub.channels) == ["json"]
