"""NVIDIA GPUs through NVML, the C library that comes with the driver; without a driver there are simply none to show."""

import ctypes
from functools import cache
from typing import Any, Final

from app.domain.load import GpuUsage

_LIBRARY: Final = "libnvidia-ml.so.1"
_NAME_BYTES: Final = 96
_MB: Final = 1_000_000


class _Memory(ctypes.Structure):
    """`nvmlMemory_t`, in bytes."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class _Utilisation(ctypes.Structure):
    """`nvmlUtilization_t`, in per cent of the last moments."""

    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


def read_gpus() -> tuple[GpuUsage, ...]:
    """Give name, load and memory of each NVIDIA GPU; empty where there is no driver, or it stops answering.

    A number that a GPU does not tell (its load while it is cut into parts, say) is None.
    """
    nvml = _open()
    count = ctypes.c_uint()
    if nvml is None or nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)):
        return ()
    found = (_read(nvml, number) for number in range(count.value))
    return tuple(gpu for gpu in found if gpu is not None)


@cache
def _open() -> Any:
    """Start NVML once in this process; None where that cannot be done. Its functions give 0 when they did as asked."""
    try:
        nvml = ctypes.CDLL(_LIBRARY)
    except OSError:
        return None
    return None if nvml.nvmlInit_v2() else nvml


def _read(nvml: Any, number: int) -> GpuUsage | None:
    device, name = ctypes.c_void_p(), ctypes.create_string_buffer(_NAME_BYTES)
    if nvml.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(number), ctypes.byref(device)):
        return None  # one that this process may not use
    nvml.nvmlDeviceGetName(device, name, ctypes.c_uint(_NAME_BYTES))
    load, memory = _Utilisation(), _Memory()
    told_load = nvml.nvmlDeviceGetUtilizationRates(device, ctypes.byref(load)) == 0
    told_memory = nvml.nvmlDeviceGetMemoryInfo(device, ctypes.byref(memory)) == 0
    return GpuUsage(
        name=name.value.decode(errors="replace") or f"NVIDIA GPU {number}",
        utilisation_percent=float(load.gpu) if told_load else None,
        memory_used_mb=round(memory.used / _MB, 1) if told_memory else None,
        memory_total_mb=round(memory.total / _MB, 1) if told_memory else None,
    )
