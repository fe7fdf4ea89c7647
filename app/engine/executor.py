"""The executor's contract: something that carries out tasks and tells what happens on the way."""

from collections.abc import Callable
from typing import Protocol

from app.domain.errors import WorkerLost
from app.domain.load import WorkerUsage
from app.engine.ending import Blame
from app.engine.messages import Order, Outcome, Report
from app.engine.salvage import Kept
from app.engine.tasks import Task

Tell = Callable[[int, Report], None]


class LostWorker(WorkerLost):
    """A worker ended or hung: where it was, and in what task (`started` is False for one it had not begun)."""

    @property
    def frame(self) -> int:
        """Frame of the job it was in."""
        frame = self.facts["frame_index"]
        return frame if isinstance(frame, int) else -1

    @property
    def stage(self) -> str:
        """Stage, or breakdown row, it was in."""
        return str(self.facts["stage"])

    @property
    def code(self) -> str:
        """Code of the soft failure this makes: `crash`, `timeout` or `memory`."""
        return str(self.facts["code"])

    @property
    def cause(self) -> str:
        """What ended it, as a clause."""
        return str(self.facts["cause"])

    @property
    def blame(self) -> Blame:
        """Whose doing it was."""
        return Blame(str(self.facts["blame"]))

    @property
    def detail(self) -> str | None:
        """What the worker could still say: the stack of each of its threads."""
        return str(self.facts["detail"] or "") or None

    @property
    def kept(self) -> Kept | None:
        """What was finished of the segment."""
        kept = self.facts["kept"]
        return kept if isinstance(kept, Kept) else None

    @property
    def started(self) -> bool:
        """Say whether the task had been begun."""
        return bool(self.facts["started"])


class Executor(Protocol):
    """Carries out tasks on `slots` workers.

    `execute` runs a task on the worker asked for and gives its outcome; reports on the way go to `tell(worker, report)`.
    It raises LostWorker when the worker dies or hangs.
    """

    @property
    def slots(self) -> int:
        """Number of workers."""

    async def start(self) -> None:
        """Bring the workers up."""

    async def close(self) -> None:
        """End the workers; what they were doing is lost."""

    def load(self) -> dict[int, int]:
        """Tasks held by each worker that can take tasks."""

    async def execute(self, worker: int, task: Task, tell: Tell) -> Outcome:
        """Run a task on a worker and give its outcome."""

    def order(self, worker: int, order: Order) -> None:
        """Send a worker an order that is not a task."""

    def kill(self, worker: int) -> None:
        """End a worker at once; it is replaced."""

    def withdraw(self, worker: int, task_id: int) -> bool:
        """Take back a task that a worker was told to drop, where it has not begun it; False: it is in hand."""

    def alive(self, worker: int) -> bool:
        """Say whether a worker can go on with what it holds: it is there, and nobody stopped it."""

    def usage(self) -> tuple[WorkerUsage, ...]:
        """What each worker is doing."""
