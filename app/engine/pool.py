"""The pool: worker processes, started, replaced when they die, ended with the server."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

import psutil

from app.domain.load import WorkerUsage
from app.engine.ending import Blame
from app.engine.executor import LostWorker, Tell
from app.engine.held import NO_LIMITS, WorkerLimits
from app.engine.messages import Order, Outcome
from app.engine.process import Printed, WorkerProcess, clock
from app.engine.tasks import Task

_LOOK_S: Final = 0.25
_LONGEST_LOOK_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 10.0
_HOPELESS: Final = 3  # workers in a row that ended before they were ready


class Pool:
    """An executor on processes. `changed` is called when a worker becomes ready or is lost."""

    def __init__(
        self, size: int, *, limits: WorkerLimits = NO_LIMITS, printed: Printed, changed: Callable[[], None] = lambda: None
    ) -> None:
        self._size, self._limits = size, limits
        self._printed, self._changed = printed, changed
        self._workers: dict[int, WorkerProcess] = {}
        self._stillborn = 0  # workers in a row that ended before they were ready
        self._last_words = ""  # what a worker without a task printed last
        self._closing = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def slots(self) -> int:
        """Number of workers."""
        return self._size

    @property
    def trouble(self) -> str | None:
        """Why no worker can do anything, and what to do about it; None while one can. May be asked on a thread."""
        ready = [worker.pid for worker in list(self._workers.values()) if worker.ready]
        if ready and all(map(_is_stopped, ready)):
            return f"Every worker is stopped; let them go on with: kill -CONT {' '.join(map(str, ready))}"
        if ready:
            return None
        if self._stillborn < _HOPELESS:
            return "No worker is ready yet."
        said = f", saying: {self._last_words}" if self._last_words else ""
        return f"No worker can start: the last {self._stillborn} ended at once{said}. Run sightline doctor for what is missing."

    async def start(self) -> None:
        """Start every worker; they become ready by themselves."""
        for number in range(1, self._size + 1):
            self._bring_up(number)
        self._keep(self._look_after())

    async def close(self) -> None:
        """End every worker and wait until none is left."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(worker.end() for worker in self._workers.values()))
        self._workers.clear()

    def load(self) -> dict[int, int]:
        """Tasks held by each ready worker."""
        return {number: len(worker.held) for number, worker in self._workers.items() if worker.ready}

    async def execute(self, worker: int, task: Task, tell: Tell) -> Outcome:
        """Run a task on a worker and give its outcome; raises LostWorker when the worker dies or hangs."""
        process = self._workers.get(worker)
        if process is None or not process.ready:
            raise LostWorker(
                worker=worker, frame_index=-1, stage="idle", cause="it is gone", code="crash", blame=Blame.OURSELVES,
                started=False, detail=None, kept=None,
            )  # fmt: skip
        return await process.execute(task, tell)

    def order(self, worker: int, order: Order) -> None:
        """Send a worker an order that is not a task."""
        process = self._workers.get(worker)
        if process is not None and process.ready:
            process.send(order)

    def kill(self, worker: int) -> None:
        """End a worker at once; it is replaced."""
        process = self._workers.get(worker)
        if process is not None:
            process.kill()

    def withdraw(self, worker: int, task_id: int) -> bool:
        """Take back a task that a worker was told to drop, where it has not begun it; False: it is in hand."""
        process = self._workers.get(worker)
        return process is not None and process.withdraw(task_id)

    def alive(self, worker: int) -> bool:
        """Say whether a worker can go on with what it holds; one that hangs is ended by `_look_after`."""
        process = self._workers.get(worker)
        return process is not None and process.ready and not _is_stopped(process.pid)

    def usage(self) -> tuple[WorkerUsage, ...]:
        """What each worker is doing, and its resident memory in MB."""
        return tuple(
            WorkerUsage(number, _state(worker), worker.job_id, _resident_mb(worker.pid))
            for number, worker in sorted(self._workers.items())
        )

    def _bring_up(self, number: int) -> None:
        self._workers[number] = WorkerProcess(number, self._limits, self._heard, self._noted)

    def _heard(self, job_id: str | None, text: str) -> None:
        if job_id is None and text.strip():
            self._last_words = text.strip().splitlines()[-1][:300]
        self._printed(job_id, text)

    def _noted(self, worker: WorkerProcess) -> None:
        if worker.ready:
            self._stillborn = 0
        elif not self._closing:
            self._stillborn += 1
            self._keep(self._replace(worker.number))
        self._changed()

    async def _replace(self, number: int) -> None:
        if self._stillborn > 1:
            await asyncio.sleep(min(_LONGEST_PAUSE_S, 0.1 * 2**self._stillborn))
        if not self._closing:
            self._bring_up(number)

    async def _look_after(self) -> None:
        watched, looked_at = 0.0, clock()
        while True:
            await asyncio.sleep(_LOOK_S)
            # A server that stood still itself (stopped, or its machine was) did not watch: its workers may have stood too.
            watched, looked_at = watched + min(clock() - looked_at, _LONGEST_LOOK_S), clock()
            for worker in self._workers.values():
                if not worker.gone:
                    worker.look_after(watched)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _state(worker: WorkerProcess) -> str:
    if not worker.ready:
        return "starting"
    return "busy" if worker.held else "idle"


def _is_stopped(pid: int) -> bool:
    """Say whether a process was stopped by a signal (SIGSTOP) or a debugger, and waits to be let go on."""
    with suppress(psutil.Error):
        return psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
    return False


def _resident_mb(pid: int) -> float:
    with suppress(psutil.Error):
        return round(psutil.Process(pid).memory_info().rss / 1e6, 1)
    return 0.0
