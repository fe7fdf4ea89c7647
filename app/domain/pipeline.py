"""What a job does to each frame: stages, what they need, and what happens when one fails."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from app.domain.errors import BadPipeline

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


class Stage(msgspec.Struct, frozen=True):
    """A plugin with its options in a pipeline; runs on every `every`-th frame, where `when` holds."""

    id: str
    plugin: str
    options: Mapping[str, Any] = {}
    needs: tuple[str, ...] = ()
    every: int = 1
    when: Condition | None = None
    device: str | None = None
    policy: FailurePolicy = FailurePolicy()


class Pipeline(msgspec.Struct, frozen=True):
    """Stages in the order they run: each stands behind the stages it needs."""

    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        if not self.stages:
            raise BadPipeline.because("it has no stages; name at least one plugin")
        if len(self.stages) > MAX_STAGES:
            raise BadPipeline.because(f"it has {len(self.stages)} stages, expected at most {MAX_STAGES}")
        earlier: set[str] = set()
        for stage in self.stages:
            if stage.id in earlier:
                raise BadPipeline.because(f"two stages have the id {stage.id!r}")
            if stage.id in RESERVED_STAGES:
                raise BadPipeline.because(f"{stage.id!r} is the name of a breakdown row; give the stage another id")
            wanted = (*stage.needs, *((stage.when.stage,) if stage.when else ()))
            for need in wanted:
                if need not in earlier:
                    raise BadPipeline.because(f"stage {stage.id!r} needs {need!r}, which is not an earlier stage")
            earlier.add(stage.id)

    @property
    def ids(self) -> tuple[str, ...]:
        """Stage ids, in order."""
        return tuple(stage.id for stage in self.stages)


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
