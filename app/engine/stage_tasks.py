"""From a job's stages and what their plugins declare to what a worker needs to run them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from app.domain.job import Job
from app.domain.pipeline import Stage
from app.domain.plugin import PluginMetadata
from app.engine.tasks import StageTask


def stage_tasks(
    job: Job,
    metadata: dict[str, tuple[PluginMetadata, Path]],
    placed: Callable[[str, Mapping[str, Any]], Mapping[str, Any]],
) -> tuple[StageTask, ...]:
    """What a worker needs to run a job's stages.

    `metadata` gives each plugin's declaration and folder by id, `placed` puts the paths of model files into its options.
    """
    tasks = []
    for stage in job.pipeline.stages:
        declared, folder = metadata[stage.plugin]
        whole = msgspec.structs.replace(stage, options=dict(placed(stage.plugin, stage.options)))
        tasks.append(stage_task(whole, declared, folder, job.device_requested, strict_device=job.strict_device))
    return tuple(tasks)


def stage_task(stage: Stage, declared: PluginMetadata, folder: Path, device: str, *, strict_device: bool) -> StageTask:
    """What a worker needs to run one stage, whose options are whole and placed; `device` counts where the stage names none."""
    return StageTask(
        stage=stage, version=declared.version, folder=str(folder), entry=declared.entry, output=declared.output,
        device=stage.device or device, strict_device=strict_device, budget_ms=declared.latency_budget_ms,
        stateful=declared.stateful, targets=tuple(declared.devices), needs_pixels=declared.needs_pixels,
        warmup_frames=declared.warmup_frames,
    )  # fmt: skip
