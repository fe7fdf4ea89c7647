"""The machine as its page shows it: what hardware is here and why not, and how busy it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from app.devices.inventory import Inventory
from app.domain.insight import Usage
from app.domain.load import GpuUsage, WorkerUsage
from app.web.contexts.stage import TARGET_NAMES
from app.web.contexts.words import Sign, megabytes, number

_WORKER_SIGNS: Final = {
    "busy": Sign("busy", "activity", "accent"),
    "idle": Sign("idle", "circle-check", "ok"),
    "starting": Sign("starting", "clock", "muted"),
}
AVAILABLE: Final = Sign("Available", "circle-check", "ok")
NOT_HERE: Final = Sign("Not here", "circle-dashed", "muted")
UNKNOWN: Final = Sign("Not looked at", "circle-dashed", "muted")


@dataclass(frozen=True, slots=True)
class GaugeView:
    """A load with its bar: `fill` is 0 to 100, None for what has no whole."""

    name: str
    value: str
    fill: int | None


@dataclass(frozen=True, slots=True)
class WorkerView:
    """What one worker process is doing."""

    name: str
    sign: Sign
    job_id: str
    memory: str


@dataclass(frozen=True, slots=True)
class UsageView:
    """How busy this machine is; without `gauges` nothing was measured yet."""

    gauges: tuple[GaugeView, ...]
    workers: tuple[WorkerView, ...]


@dataclass(frozen=True, slots=True)
class TargetView:
    """A target networks could run on, and why not where they cannot."""

    name: str
    request: str
    sign: Sign
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class InventoryView:
    """What hardware and which runtimes are here."""

    cpu: str
    runtimes: tuple[tuple[str, str], ...]
    targets: tuple[TargetView, ...]
    problem: str


def usage_of(insight: Usage) -> UsageView:
    """Give the load an insight tells of."""
    gauges = [
        GaugeView("CPU, all cores", f"{insight.cpu_percent:.0f} %", round(insight.cpu_percent)),
        GaugeView("Memory of Sightline", megabytes(insight.memory_mb), None),
    ]
    return UsageView((*gauges, *_gpus(insight.gpus)), view_workers(insight.workers))


def view_usage(workers: Sequence[WorkerUsage]) -> UsageView:
    """Give what is known of the load without having measured it: what each worker is doing."""
    return UsageView((), view_workers(workers))


def view_workers(workers: Sequence[WorkerUsage]) -> tuple[WorkerView, ...]:
    """Give each worker with its state, job and memory."""
    return tuple(
        WorkerView(
            name=f"Worker {worker.id}",
            sign=_WORKER_SIGNS.get(worker.state, Sign(worker.state, "info", "muted")),
            job_id=worker.job_id or "",
            memory=megabytes(worker.rss_mb) if worker.rss_mb else "",
        )
        for worker in workers
    )


def _gpus(gpus: Sequence[GpuUsage]) -> list[GaugeView]:
    gauges = []
    for gpu in gpus:
        load = gpu.utilisation_percent
        told = ("not told", None) if load is None else (f"{load:.0f} %", round(load))
        gauges.append(GaugeView(gpu.name, *told))
        if gpu.memory_used_mb is not None and gpu.memory_total_mb:
            memory = f"{megabytes(gpu.memory_used_mb)} of {megabytes(gpu.memory_total_mb)}"
            gauges.append(GaugeView(f"{gpu.name}, memory", memory, round(100 * gpu.memory_used_mb / gpu.memory_total_mb)))
    return gauges


def view_inventory(inventory: Mapping[str, Any]) -> InventoryView:
    """Give what is here, from the inventory in its JSON form."""
    here = msgspec.convert(inventory, Inventory)
    opencv = here.opencv
    facts = []
    if opencv:
        facts = [
            ("OpenCV", opencv.version),
            ("Package", ", ".join(opencv.distributions) or "none, a build of its own"),
            ("Network engines", ", ".join(opencv.engines) or "classic"),
            ("CUDA", opencv.cuda or "built without it"),
            ("Threads by", opencv.parallel),
            ("CPU features used", opencv.cpu_features.replace("*", "")),
        ]
    facts += [("ONNX Runtime", _onnx_runtime(here)), ("GPUs that CUDA shows", number(here.cuda_devices))]
    targets = tuple(
        TargetView(
            TARGET_NAMES[state.target], state.target.value, AVAILABLE if state.available else NOT_HERE,
            state.code.value if state.code else "", state.reason,
        )
        for state in here.targets
    )  # fmt: skip
    cores = f"{here.cpu.name}, {number(here.cpu.cores)} cores"
    cpu = cores if here.cpu.usable == here.cpu.cores else f"{cores}, {number(here.cpu.usable)} of them usable here"
    return InventoryView(cpu, tuple(facts), targets, here.problem or "")


def _onnx_runtime(here: Inventory) -> str:
    onnx = here.onnx_runtime
    if onnx is None or onnx.version is None:
        return "not installed"
    usable = [TARGET_NAMES[state.target] for state in onnx.targets if state.available]
    return f"{onnx.version}, on {', '.join(usable)}"
