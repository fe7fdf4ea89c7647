"""The executor's twin: carries out tasks in this process, one at a time, on a thread."""

import asyncio
from collections import deque

from app.domain.load import WorkerUsage
from app.engine.executor import Tell
from app.engine.ledger import Ledger
from app.engine.messages import Drop, Order, Outcome, Report, TaskFailed
from app.engine.recorder import Recorder
from app.engine.tasks import Task
from app.engine.trouble import describe
from app.engine.work import Workbench


class InlineExecutor:
    """Runs plugins in this process: nothing is isolated, so it is for tests and for looking into a plugin."""

    def __init__(self) -> None:
        self._orders: deque[Order] = deque()
        self._recorder = Recorder.private()
        self._bench = Workbench(self._recorder, Ledger.private(), self._report, self._poll)
        self._turn = asyncio.Lock()
        self._held: list[Task] = []
        self._tell: Tell | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def slots(self) -> int:
        """One: this process."""
        return 1

    async def start(self) -> None:
        """Nothing has to be brought up."""
        self._loop = asyncio.get_running_loop()

    async def close(self) -> None:
        """Wait for the task in hand, then let go of what is prepared."""
        for task in self._held:
            self._orders.append(_drop(task))
        async with self._turn:
            self._bench.close()

    def load(self) -> dict[int, int]:
        """The one worker and the tasks it holds."""
        return {1: len(self._held)}

    async def execute(self, worker: int, task: Task, tell: Tell) -> Outcome:
        """Carry out a task on a thread; nothing can be stopped here that does not look up by itself."""
        self._held.append(task)
        try:
            async with self._turn:
                self._tell = tell
                self._poll()
                return await asyncio.to_thread(self._bench.carry_out, task)
        except MemoryError as error:  # here no process can end in its stead
            return TaskFailed(task.task_id, "source", None, describe(error), None)
        finally:
            self._held.remove(task)

    def order(self, worker: int, order: Order) -> None:
        """Leave an order for the next look."""
        self._orders.append(order)

    def kill(self, worker: int) -> None:
        """Stop the tasks in hand at their next frame: there is no process to end."""
        for task in self._held:
            self._orders.append(_drop(task))

    def withdraw(self, worker: int, task_id: int) -> bool:
        """Every task is taken for being in hand: one thread does them, and looks up soon enough."""
        return False

    def alive(self, worker: int) -> bool:
        """This process answers, so it lives."""
        return True

    def usage(self) -> tuple[WorkerUsage, ...]:
        """What the one worker is doing; its memory is this process's."""
        job_id = self._held[0].job_id if self._held else None
        return (WorkerUsage(1, "busy" if self._held else "idle", job_id, 0.0),)

    def _poll(self) -> None:
        while self._orders:
            order = self._orders.popleft()
            if not isinstance(order, Task):
                self._bench.obey(order)

    def _report(self, report: Report, droppable: bool) -> None:
        if self._loop is not None and self._tell is not None:
            self._loop.call_soon_threadsafe(self._tell, 1, report)


def _drop(task: Task) -> Order:

    return Drop(task.task_id)
