"""The tail: facts that somebody wrote reach the hub, rung or not, and a log that fails for a while."""

import asyncio
import threading

import pytest

from app.domain.job import JobStatus
from app.insights.hub import Hub
from app.insights.log import MemoryFactLog, NumberedFact
from app.insights.tail import Tail
from tests.unit.insights.reader import Reader, of, status, warning

pytestmark = pytest.mark.anyio


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_fact_written_by_another_thread_arrives_when_the_bell_is_rung(log: MemoryFactLog, hub: Hub) -> None:
    tail = Tail(hub, patience_s=3600)
    running = asyncio.create_task(tail.run())
    async with Reader(hub, of()) as reader:
        await reader.until("hello")
        await asyncio.to_thread(lambda: (log.append(status("a", JobStatus.QUEUED)), tail.ring()))
        assert await reader.until("status") == ["#0 hello", "#1 status"]
    await _stop(running)


async def test_a_fact_of_another_process_arrives_without_a_bell(log: MemoryFactLog, hub: Hub) -> None:
    running = asyncio.create_task(Tail(hub, patience_s=0.01).run())
    async with Reader(hub, of()) as reader:
        await reader.until("hello")
        log.append(warning("a"))
        await reader.until("warning")
    await _stop(running)


async def test_a_log_that_cannot_be_read_for_a_while_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(MemoryFactLog):
        broken = False

        def after(self, *asked: object) -> list[NumberedFact]:
            if self.broken:
                raise OSError("database is locked")
            return super().after(*asked)  # type: ignore[arg-type]  # the same arguments, passed on

    log = Failing()
    hub = Hub(log, window_s=0.0)
    tail = Tail(hub, patience_s=0.005)
    running = asyncio.create_task(tail.run())
    async with Reader(hub, of()) as reader:
        await reader.until("hello")
        log.broken = True
        log.append(warning("a", 1))
        log.append(warning("a", 10))
        while "database is locked" not in caplog.text:
            await asyncio.sleep(0.005)
        log.broken = False
        await reader.until("warning", "warning")
    await _stop(running)


async def test_ringing_before_the_tail_runs_and_after_its_loop_ended_is_harmless(hub: Hub) -> None:
    tail = Tail(hub)
    tail.ring()

    def run_and_end() -> None:
        async def shortly() -> None:
            running = asyncio.create_task(tail.run())
            await asyncio.sleep(0)
            await _stop(running)

        asyncio.run(shortly())

    thread = threading.Thread(target=run_and_end)
    thread.start()
    await asyncio.to_thread(thread.join)
    tail.ring()
    tail.ring()
