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
_HERE: Final = Sign("Available", "circle-check", "ok")
_NOT_HERE: Final = Sign("Not here", "circle-dashed", "muted")


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
    """What hardware and which OpenCV are here."""

    cpu: str
    opencv: tuple[tuple[str, str], ...]
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
        gauges.append(GaugeView(gpu.name, f"{gpu.utilisation_percent:.0f} %", round(gpu.utilisation_percent)))
        used = 100 * gpu.memory_used_mb / gpu.memory_total_mb if gpu.memory_total_mb else 0
        memory = f"{megabytes(gpu.memory_used_mb)} of {megabytes(gpu.memory_total_mb)}"
        gauges.append(GaugeView(f"{gpu.name}, memory", memory, round(used)))
    return gauges


def view_inventory(inventory: Mapping[str, Any]) -> InventoryView:
    """Give what is here, from the inventory in its JSON form."""
    here = msgspec.convert(inventory, Inventory)
    opencv = here.opencv
    facts = []
    if opencv:
        facts = [
            ("Version", opencv.version),
            ("Package", ", ".join(opencv.distributions) or "not from a package"),
            ("Network engines", ", ".join(opencv.engines) or "classic"),
            ("CUDA", opencv.cuda or "built without it"),
            ("Threads by", opencv.parallel),
            ("CPU features used", opencv.cpu_features.replace("*", "")),
        ]
    targets = tuple(
        TargetView(
            TARGET_NAMES[state.target], state.target.value, _HERE if state.available else _NOT_HERE,
            state.code.value if state.code else "", state.reason,
        )
        for state in here.targets
    )  # fmt: skip
    cores = f"{here.cpu.name}, {number(here.cpu.cores)} cores"
    cpu = cores if here.cpu.usable == here.cpu.cores else f"{cores}, {number(here.cpu.usable)} of them usable here"
    return InventoryView(cpu, tuple(facts), targets, here.problem or "")
