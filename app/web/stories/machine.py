"""Stories of the machine: its load, and what networks can run on."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

import msgspec

from app.domain.load import GpuUsage, WorkerUsage
from app.web.contexts.machine import usage_of, view_inventory, view_usage
from app.web.stories import examples as example
from app.web.stories.story import Story

_BROKEN: Final = "OpenCV cannot be imported: libGL.so.1 is missing. Install opencv-contrib-python-headless."


def _load(**changes: Any) -> Mapping[str, Any]:
    return {"usage": usage_of(msgspec.structs.replace(example.USAGE, **changes))}


def _inventory(**changes: Any) -> Mapping[str, Any]:
    return {"inventory": view_inventory({**example.INVENTORY, **changes})}


def _stories() -> Iterator[Story]:
    yield Story("device_usage", "Load", "CPU, memory, workers.", _load, ("CPU, all cores", "Worker"))
    gpus = (GpuUsage("NVIDIA L4", 97.0, 22_400.0, 23_034.0), GpuUsage("NVIDIA L4, second", None, None, None))
    yield Story("device_usage", "Load of two GPUs", "One does not tell.", partial(_load, gpus=gpus), ("97 %", "not told"))
    workers = tuple(WorkerUsage(n, ("idle", "busy", "starting")[n % 3], None, 96.0 + n) for n in range(1, 17))
    yield Story("device_usage", "Sixteen workers", "One line for each.", partial(_load, workers=workers), ("Worker 16",))
    nothing = {"usage": view_usage(())}
    yield Story("device_usage", "Load, nothing yet", "The empty state.", lambda: nothing, ("No worker is up yet.",))
    yield Story(
        "device_inventory", "Inventory", "What is here.", _inventory, ("OpenCV here was built without CUDA.", "Available")
    )
    broken = partial(_inventory, opencv=None, targets=[], problem=_BROKEN)
    yield Story("device_inventory", "Inventory, OpenCV is broken", "With the cure.", broken, (_BROKEN,))


MACHINE_STORIES: Final = tuple(_stories())
