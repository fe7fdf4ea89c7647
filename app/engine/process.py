"""One worker process seen from its parent: started, talked to, watched, and read out when it dies."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from app.engine.ahead import crashed_decoding_ahead
from app.engine.ending import ASK_WHERE, STOPPED, Blame, Ending, ending_of
from app.engine.executor import LostWorker, Tell
from app.engine.held import Held, WorkerLimits
from app.engine.last_words import LastWords
from app.engine.ledger import Entries
from app.engine.memory import kills_for_memory, limit, memory_of
from app.engine.messages import (
    HEADER_BYTES,
    Dropped,
    FinalizeDone,
    Order,
    Outcome,
    Ready,
    Report,
    SegmentDone,
    TaskFailed,
    body_length,
    decode_report,
    pack,
)
from app.engine.recorder import IDLE, Position
from app.engine.salvage import Kept, salvage
from app.engine.spawn import spawn
from app.engine.tasks import SegmentTask, Task

_DRAIN_S: Final = 0.1
_LOG_BYTES: Final = 1 << 16
_log = logging.getLogger(__name__)
Printed = Callable[[str | None, str], None]


class WorkerProcess:
    """A child process that carries out tasks, in the order they are given."""

    def __init__(self, number: int, limits: WorkerLimits, printed: Printed, changed: Callable[["WorkerProcess"], None]) -> None:
        self.number = number
        self.ready = False
        self.held: list[Held] = []
        self._limits, self._printed, self._changed = limits, printed, changed
        self._unprinted = b""
        self._ended_for: Ending | None = None
        self._condemned_at: Position | None = None
        self._seen: tuple[Position, float] | None = None
        self._starved = kills_for_memory()
        self._buried = asyncio.Event()
        self._start(limits.memory_mb)

    def _start(self, memory_mb: int) -> None:
        child = spawn(memory_mb)
        self._process, self._socket = child.process, child.socket
        self._recorder, self._ledger = child.recorder, child.ledger
        self._log_fd, self._words = child.log_fd, LastWords(child.fault_fd)
        self._pidfd = os.pidfd_open(self._process.pid)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._pidfd, self._died)
        loop.add_reader(self._log_fd, self._read_log)
        self._reading = asyncio.ensure_future(self._read())

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def job_id(self) -> str | None:
        """Job of the task in hand."""
        return self._in_hand(self._recorder.read()).task.job_id if self.held else None

    async def execute(self, task: Task, tell: Tell) -> Outcome:
        """Give the worker a task and wait for its outcome."""
        held = Held(task, tell, asyncio.get_running_loop().create_future())
        self.held.append(held)
        self.send(task)
        return await held.future

    def send(self, order: Order) -> None:
        """Send an order; a worker that died meanwhile is told of by `changed`."""
        with suppress(OSError, RuntimeError):
            self._writer.write(pack(order))

    def kill(self, ending: Ending = STOPPED) -> None:
        """End the process at once, noting why."""
        self._ended_for = self._ended_for or ending
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)

    def withdraw(self, task_id: int) -> bool:
        """Take back a task that the worker was told to drop, where it has not begun it; it passes over it later."""
        held = next((held for held in self.held if held.task.task_id == task_id), None)
        if held is None or held is self._in_hand(self._recorder.read()):
            return False
        self.held.remove(held)
        if not held.future.done():
            held.future.set_result(Dropped(task_id))
        return True

    def look_after(self, now: float) -> None:
        """End a worker that stays in one place for longer than that place may take, or takes more memory than it may."""
        if self._ended_for is not None:
            return
        self._starved, position = kills_for_memory(), self._recorder.read()
        used = memory_of(self.pid)
        if self._limits.memory_mb and used > self._limits.memory_mb * 1_000_000:
            cause = f"it used {used // 1_000_000} MB{limit(self._limits.memory_mb)}"
            self._condemn(Ending("memory", cause, Blame.PLACE), position)
        elif not self.held:
            self._seen = None
        elif self._seen is None or self._seen[0] != position:
            self._seen = position, now
        else:
            patience = self._in_hand(position).patience(position, self._limits)
            if now - self._seen[1] > patience.seconds:
                self._condemn(Ending("timeout", patience.cause, Blame.PLACE), position)

    def _condemn(self, ending: Ending, position: Position) -> None:
        """End the process for what it does where it is, once it has said on which line of which plugin that is."""
        self._ended_for, self._condemned_at = ending, position
        with suppress(ProcessLookupError):
            self._process.send_signal(ASK_WHERE)
        self._hearing = asyncio.ensure_future(self._hear_out())

    async def _hear_out(self) -> None:
        await self._words.come()
        self.kill()

    def _in_hand(self, position: Position) -> Held:
        return next((held for held in self.held if held.task.task_id == position.task_id), self.held[0])

    async def _read(self) -> None:
        reader, self._writer = await asyncio.open_connection(sock=self._socket)
        try:
            while True:
                header = await reader.readexactly(HEADER_BYTES)
                self._take(decode_report(await reader.readexactly(body_length(header))))
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # it ended; what follows is told by its death
        except (msgspec.DecodeError, ValueError) as error:
            self.kill(Ending("crash", f"it sent what cannot be read ({error})", Blame.PLACE))

    def _take(self, report: Report) -> None:
        if isinstance(report, Ready):
            self.ready = True
            self._changed(self)
            return
        held = next((held for held in self.held if held.task.task_id == report.task_id), None)
        if held is None:
            return
        if isinstance(report, SegmentDone | FinalizeDone | TaskFailed | Dropped):
            self._read_log(to_the_end=True)  # what a task printed is its job's, and is there when the job has ended
            self.held.remove(held)
            if not held.future.done():
                held.future.set_result(report)
        else:
            try:
                held.tell(self.number, report)
            except Exception:  # noqa: BLE001  # the dispatcher's edge: what cannot be told must not stop the listening
                _log.exception("What worker %s told could not be passed on.", self.number)

    def _read_log(self, *, to_the_end: bool = False) -> None:
        """Pass on what was printed, whole lines at a time: several workers may print into one log."""
        with suppress(BlockingIOError):
            data = os.read(self._log_fd, _LOG_BYTES)
            if not data:
                asyncio.get_running_loop().remove_reader(self._log_fd)
            self._unprinted += data
        whole = to_the_end or len(self._unprinted) > _LOG_BYTES
        cut = len(self._unprinted) if whole else self._unprinted.rfind(b"\n") + 1
        if cut:
            self._printed(self.job_id, self._unprinted[:cut].decode("utf-8", "replace"))
            self._unprinted = self._unprinted[cut:]

    def _died(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        self._burying = asyncio.ensure_future(self._bury())

    async def _bury(self) -> None:
        await asyncio.wait({self._reading}, timeout=_DRAIN_S)  # what it said before it died still counts
        self._reading.cancel()
        self.ready = False
        status, starved = self._process.wait(), kills_for_memory() > self._starved
        self._read_log(to_the_end=True)
        words, entries = self._words.read(), self._ledger.read()
        position = self._recorder.read(ahead=crashed_decoding_ahead(words))
        ending = self._ended_for or ending_of(status, memory_mb=self._limits.memory_mb, starved=starved)
        if self._condemned_at not in (None, position):  # it had gone on by itself meanwhile: where it is now is not to blame
            ending = STOPPED
        for held in self.held:
            started = held.task.task_id == position.task_id and position.place != IDLE
            kept = await self._salvage(entries, held.task) if started else None
            lost = LostWorker(
                worker=self.number, frame_index=position.frame, stage=position.stage_name(held.stages), cause=ending.cause,
                code=ending.code, blame=ending.blame, started=started, detail=words, kept=kept,
            )  # fmt: skip
            if not held.future.done():
                held.future.set_exception(lost)
        self.held.clear()
        self._close()
        self._buried.set()
        self._changed(self)

    async def _salvage(self, entries: Entries, task: Task) -> Kept | None:
        if not isinstance(task, SegmentTask):
            return None
        try:
            return await asyncio.to_thread(salvage, entries, task)
        except Exception:  # noqa: BLE001  # the dispatcher's edge: whatever it left behind, the segment can be done again
            _log.exception("What worker %s had finished could not be kept; the segment is done again.", self.number)
            return None

    def _close(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._log_fd)
        with suppress(AttributeError):
            self._writer.close()
        self._socket.close()
        for descriptor in (self._pidfd, self._log_fd):
            os.close(descriptor)
        self._words.close()
        self._recorder.close()
        self._ledger.close()

    @property
    def gone(self) -> bool:
        """Say whether the process has ended and been read out."""
        return self._buried.is_set()

    async def end(self) -> None:
        """End the process and wait until it is read out."""
        self.kill()
        await self._buried.wait()


def clock() -> float:
    """Seconds of a clock that only goes forward."""
    return time.monotonic()
