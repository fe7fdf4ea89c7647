"""One worker process seen from its parent: started, talked to, watched, and read out when it dies."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

import app
from app.engine.executor import LostWorker, Tell
from app.engine.held import Held
from app.engine.messages import (
    HEADER_BYTES,
    Dropped,
    FinalizeDone,
    Order,
    Outcome,
    Ready,
    Report,
    SegmentDone,
    Task,
    TaskFailed,
    body_length,
    decode_report,
    pack,
)
from app.engine.recorder import IDLE, Position, Recorder

_DRAIN_S: Final = 0.1
_FAULT_CHARACTERS: Final = 4000
_log = logging.getLogger(__name__)
Printed = Callable[[str | None, str], None]


class WorkerProcess:
    """A child process that carries out tasks, in the order they are given."""

    def __init__(self, number: int, memory_mb: int, printed: Printed, changed: Callable[["WorkerProcess"], None]) -> None:
        self.number = number
        self.ready = False
        self.held: list[Held] = []
        self._printed, self._changed = printed, changed
        self._killed_for: tuple[str, str] | None = None
        self._seen: tuple[Position, float] | None = None
        self._buried = asyncio.Event()
        self._start(memory_mb)

    def _start(self, memory_mb: int) -> None:
        ours, theirs = socket.socketpair()
        self._recorder, recorder_fd = Recorder.create()
        self._fault_fd = os.memfd_create("sightline-fault", os.MFD_CLOEXEC)
        self._log_fd, log_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(log_end, True)
        descriptors = (theirs.fileno(), recorder_fd, self._fault_fd)
        command = [sys.executable, "-m", "app.engine.worker", *map(str, descriptors), str(memory_mb)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log_end, stderr=log_end, pass_fds=descriptors, env=_environment()
        )
        for descriptor in (recorder_fd, log_end):
            os.close(descriptor)
        theirs.close()
        ours.setblocking(False)
        self._socket = ours
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
        return self.held[0].task.job_id if self.held else None

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

    def kill(self, code: str = "crash", cause: str = "it was stopped") -> None:
        """End the process at once, noting why."""
        self._killed_for = self._killed_for or (code, cause)
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)

    def look_after(self, now: float) -> None:
        """Kill a worker that stays in one place for longer than that place may take."""
        position = self._recorder.read()
        if not self.held or position.place == IDLE:
            self._seen = None
        elif self._seen is None or self._seen[0] != position:
            self._seen = position, now
        else:
            held = self._in_hand(position)
            patience = held.patience(position)
            if now - self._seen[1] > patience:
                self.kill("timeout", f"it took longer than {patience:g} s")

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
            self.kill("crash", f"it sent what cannot be read ({error})")

    def _take(self, report: Report) -> None:
        if isinstance(report, Ready):
            self.ready = True
            self._changed(self)
            return
        held = next((held for held in self.held if held.task.task_id == report.task_id), None)
        if held is None:
            return
        if isinstance(report, SegmentDone | FinalizeDone | TaskFailed | Dropped):
            self.held.remove(held)
            if not held.future.done():
                held.future.set_result(report)
        else:
            try:
                held.tell(self.number, report)
            except Exception:  # noqa: BLE001  # the dispatcher's edge: what cannot be told must not stop the listening
                _log.exception("What worker %s told could not be passed on.", self.number)

    def _read_log(self) -> None:
        with suppress(BlockingIOError):
            data = os.read(self._log_fd, 1 << 16)
            if data:
                self._printed(self.job_id, data.decode("utf-8", "replace"))
            else:
                asyncio.get_running_loop().remove_reader(self._log_fd)

    def _died(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        self._burying = asyncio.ensure_future(self._bury())

    async def _bury(self) -> None:
        await asyncio.wait({self._reading}, timeout=_DRAIN_S)  # what it said before it died still counts
        self._reading.cancel()
        self.ready = False
        status = self._process.wait()
        self._read_log()
        position = self._recorder.read()
        code, cause = self._killed_for or _cause(status)
        fault = os.pread(self._fault_fd, _FAULT_CHARACTERS, 0).decode("utf-8", "replace")
        for held in self.held:
            started = held.task.task_id == position.task_id and position.place != IDLE
            lost = LostWorker(
                worker=self.number, frame_index=position.frame, stage=position.stage_name(held.stages), cause=cause,
                code=code, started=started, detail=fault,
            )  # fmt: skip
            if not held.future.done():
                held.future.set_exception(lost)
        self.held.clear()
        self._close()
        self._buried.set()
        self._changed(self)

    def _close(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._log_fd)
        with suppress(AttributeError):
            self._writer.close()
        self._socket.close()
        for descriptor in (self._pidfd, self._log_fd, self._fault_fd):
            os.close(descriptor)
        self._recorder.close()

    @property
    def gone(self) -> bool:
        """Say whether the process has ended and been read out."""
        return self._buried.is_set()

    async def end(self) -> None:
        """End the process and wait until it is read out."""
        self.kill()
        await self._buried.wait()


def _cause(status: int) -> tuple[str, str]:
    if status >= 0:
        return "crash", f"the process ended itself with exit code {status}"
    name = signal.Signals(-status).name
    if -status == signal.SIGKILL:
        return "memory", f"the process was killed ({name}), most likely because the machine ran out of memory"
    return "crash", f"the process crashed ({name})"


def _environment() -> dict[str, str]:
    package = str(Path(app.__file__).parents[1])
    known = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([package, known]) if known else package,
        "PYTHONUNBUFFERED": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }


def clock() -> float:
    """Seconds of a clock that only goes forward."""
    return time.monotonic()
