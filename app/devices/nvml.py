"""NVIDIA GPUs through NVML, where its Python binding is installed; without it there are simply none to show."""

from functools import cache
from typing import Any

from app.domain.load import GpuUsage

_MB = 1_000_000


def read_gpus() -> tuple[GpuUsage, ...]:
    """Give name, load and memory of each NVIDIA GPU; empty where NVML or a driver is missing, or stops answering."""
    nvml = _open()
    if nvml is None:
        return ()
    try:
        return tuple(_read(nvml, number) for number in range(nvml.nvmlDeviceGetCount()))
    except nvml.NVMLError:
        return ()  # a driver that goes away while we run leaves nothing to show


@cache
def _open() -> Any:
    """Start NVML once in this process; None where that cannot be done."""
    try:
        import pynvml  # noqa: PLC0415  # optional: most machines have no NVIDIA GPU
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def _read(nvml: Any, number: int) -> GpuUsage:
    handle = nvml.nvmlDeviceGetHandleByIndex(number)
    name = nvml.nvmlDeviceGetName(handle)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    return GpuUsage(
        name=name.decode() if isinstance(name, bytes) else str(name),
        utilisation_percent=float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu),
        memory_used_mb=round(memory.used / _MB, 1),
        memory_total_mb=round(memory.total / _MB, 1),
    )
