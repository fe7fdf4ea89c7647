"""What a job does to each frame: stages, what they need, and what happens when one fails."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from app.domain.errors import BadPipeline
from app.domain.output import Output, found_in

OptionValue = bool | int | float | str | tuple[str, ...]
RESERVED_STAGES: Final = frozenset({"decode", "prepare", "preview", "write", "finalize"})
MAX_STAGES: Final = 32


class OnError(StrEnum):
    """What follows when a stage fails on a frame."""

    SKIP_FRAME = "skip_frame"
    DISABLE_STAGE = "disable_stage"
    FAIL_JOB = "fail_job"


class FailurePolicy(msgspec.Struct, frozen=True):
    """How much failure a stage may show: `max_error_rate` counts from the 20th frame on, the timeout is per frame."""

    on_error: OnError = OnError.SKIP_FRAME
    max_error_rate: float = 0.5
    frame_timeout_s: float = 30.0


class Condition(msgspec.Struct, frozen=True):
    """Run a stage only on frames where an earlier stage found something (of this label, this sure)."""

    stage: str
    label: str | None = None
    min_confidence: float = 0.0

    def holds(self, outputs: Mapping[str, Output]) -> bool:
        """Say whether the condition is met by what earlier stages gave for a frame, by stage id."""
        output = outputs.get(self.stage)
        return output is not None and any(
            sure >= self.min_confidence and self.label in (None, label) for label, sure in found_in(output)
        )


class Stage(msgspec.Struct, frozen=True):
    """A plugin with its options in a pipeline; runs on every `every`-th frame, where `when` holds.

    On a frame on which a stage it needs failed, it is skipped.
    """

    id: str
    plugin: str
    options: Mapping[str, Any] = {}
    needs: tuple[str, ...] = ()
    every: int = 1
    when: Condition | None = None
    device: str | None = None
    policy: FailurePolicy = FailurePolicy()

    @property
    def upstream(self) -> tuple[str, ...]:
        """Ids of the stages that must have run on a frame before this one."""
        return tuple(dict.fromkeys((*self.needs, *((self.when.stage,) if self.when else ()))))


class Pipeline(msgspec.Struct, frozen=True):
    """Stages in the order they run: each stands behind the stages it needs."""

    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        problems = find_problems(self.stages) or _out_of_order(self.stages)
        if problems:
            raise refuse(problems)

    @property
    def ids(self) -> tuple[str, ...]:
        """Stage ids, in order."""
        return tuple(stage.id for stage in self.stages)


def refuse(problems: Sequence[str]) -> BadPipeline:
    """Build the error that tells all `problems`, each said as a clause."""
    return BadPipeline(reason="; ".join(problems), problems=tuple(problems))


def find_problems(stages: Sequence[Stage]) -> tuple[str, ...]:
    """Say all that keeps stages, in whatever order, from being a pipeline; nothing where they can be arranged as one."""
    if not stages:
        return ("it has no stages; name at least one plugin",)
    problems = [f"it has {len(stages)} stages, expected at most {MAX_STAGES}"] if len(stages) > MAX_STAGES else []
    ids = [stage.id for stage in stages]
    problems += [f"two stages have the id {name!r}" for name in dict.fromkeys(ids) if ids.count(name) > 1]
    for stage in stages:
        if stage.id in RESERVED_STAGES:
            problems.append(f"{stage.id!r} is the name of a breakdown row; give the stage another id")
        for need in stage.upstream:
            if need == stage.id:
                problems.append(f"stage {stage.id!r} needs itself")
            elif need not in ids:
                problems.append(f"stage {stage.id!r} needs {need!r}, which is no stage of this pipeline ({', '.join(ids)})")
    circle = _find_circle(stages)
    if circle:
        problems.append(f"the stages {' → '.join(circle)} need each other in a circle")
    return tuple(problems)


def arrange(stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """Put each stage behind the stages it needs, and otherwise leave the order as it was given."""
    known, placed, waiting = {stage.id for stage in stages}, list[Stage](), list(stages)
    while waiting:
        done = {stage.id for stage in placed}
        ready = next((s for s in waiting if all(need in done or need not in known for need in s.upstream)), waiting[0])
        waiting.remove(ready)
        placed.append(ready)
    return tuple(placed)


def _find_circle(stages: Sequence[Stage]) -> tuple[str, ...]:
    """Give the ids along one circle of stages that need each other, its first once more at the end."""
    known = {stage.id: stage for stage in stages}
    left = {name: [need for need in stage.upstream if need in known and need != name] for name, stage in known.items()}
    while free := [name for name, needs in left.items() if not any(need in left for need in needs)]:
        for name in free:
            del left[name]
    if not left:
        return ()
    path = [next(iter(left))]
    while path.count(path[-1]) == 1:  # each of those left needs another one of them
        path.append(next(need for need in left[path[-1]] if need in left))
    return tuple(path[path.index(path[-1]) :])


def _out_of_order(stages: Sequence[Stage]) -> tuple[str, ...]:
    earlier: set[str] = set()
    problems = []
    for stage in stages:
        problems += [
            f"stage {stage.id!r} stands before {need!r}, which it needs" for need in stage.upstream if need not in earlier
        ]
        earlier.add(stage.id)
    return tuple(problems)


class SavedPipeline(msgspec.Struct, frozen=True):
    """A pipeline kept under a name, to be used again; options that it does not name take their defaults when it runs."""

    name: str
    pipeline: Pipeline
    created_at: datetime
    updated_at: datetime


def number_stage_ids(plugins: tuple[str, ...]) -> tuple[str, ...]:
    """Give default stage ids: the plugin's id, then `_2`, `_3` where a plugin stands more than once; no two are alike."""
    ids: list[str] = []
    for plugin in plugins:
        number, name = 1, plugin
        while name in ids:
            number += 1
            name = f"{plugin}_{number}"
        ids.append(name)
    return tuple(ids)
