"""A task in a worker's hands, and how long the worker may stay in one place with it."""

import asyncio
from typing import Final

from app.engine.executor import Tell
from app.engine.messages import Outcome, SegmentTask, Task
from app.engine.recorder import FINALIZE, FIRST_STAGE, PREPARE, Position

_PREPARE_S: Final = 300.0
_FINALIZE_S: Final = 300.0
_ELSE_S: Final = 60.0


class Held:
    """A task a worker holds, and who waits for it."""

    __slots__ = ("future", "task", "tell")

    def __init__(self, task: Task, tell: Tell, future: "asyncio.Future[Outcome]") -> None:
        self.task, self.tell, self.future = task, tell, future

    @property
    def stages(self) -> tuple[str, ...]:
        """Stage ids by their place in the recorder."""
        tasks = self.task.stages if isinstance(self.task, SegmentTask) else (self.task.stage,)
        return tuple(task.stage.id for task in tasks)

    def patience(self, position: Position) -> float:
        """Seconds the worker may stay where it is."""
        if position.place == PREPARE:
            return _PREPARE_S
        if position.place == FINALIZE:
            return _FINALIZE_S
        number = position.place - FIRST_STAGE
        if isinstance(self.task, SegmentTask) and 0 <= number < len(self.task.stages):
            return self.task.stages[number].stage.policy.frame_timeout_s
        return _ELSE_S
