"""A task in a worker's hands, and how long the worker may stay in one place with it."""

import asyncio
from typing import Final, NamedTuple

from app.engine.executor import Tell
from app.engine.messages import Outcome
from app.engine.recorder import FINALIZE, FIRST_STAGE, PREPARE, WAIT, Position
from app.engine.tasks import FinalizeTask, Task

_ELSE_S: Final = 60.0


class WorkerLimits(NamedTuple):
    """What a worker may use: memory in MB (0: no limit), and seconds to prepare a stage and to sum one up."""

    memory_mb: int = 0
    prepare_s: float = 120.0
    finalize_s: float = 300.0


NO_LIMITS: Final = WorkerLimits()


class Patience(NamedTuple):
    """How long a worker may stay in a place, and the setting that says so."""

    seconds: float
    setting: str | None = None

    @property
    def cause(self) -> str:
        """What to say of a worker that stayed longer, as a clause."""
        named = f" ({self.setting})" if self.setting else ""
        return f"it gave no answer within {self.seconds:g} s{named}"


class Held:
    """A task a worker holds, and who waits for it."""

    __slots__ = ("future", "task", "tell")

    def __init__(self, task: Task, tell: Tell, future: "asyncio.Future[Outcome]") -> None:
        self.task, self.tell, self.future = task, tell, future

    @property
    def stages(self) -> tuple[str, ...]:
        """Stage ids by their place in the recorder."""
        tasks = (self.task.stage,) if isinstance(self.task, FinalizeTask) else self.task.stages
        return tuple(task.stage.id for task in tasks)

    def patience(self, position: Position, limits: WorkerLimits) -> Patience:
        """How long the worker may stay where it is."""
        if position.place == PREPARE:
            return Patience(limits.prepare_s, "SIGHTLINE_PREPARE_TIMEOUT_S")
        if position.place == FINALIZE:
            return Patience(limits.finalize_s, "SIGHTLINE_FINALIZE_TIMEOUT_S")
        if position.place == WAIT:
            return Patience(float("inf"))
        number = position.place - FIRST_STAGE
        if not isinstance(self.task, FinalizeTask) and 0 <= number < len(self.task.stages):
            return Patience(self.task.stages[number].stage.policy.frame_timeout_s, "frame_timeout_s")
        return Patience(_ELSE_S)
