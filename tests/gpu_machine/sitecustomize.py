"""Put on PYTHONPATH, makes a machine with NVIDIA GPUs of this one: the libraries of the driver answer as `TWIN_GPUS` says."""

import ctypes
import os
from typing import Any

GPUS = int(os.environ.get("TWIN_GPUS", "2"))
NOT_SUPPORTED = 3
MB = 1_000_000


class Driver:
    """`libcuda.so.1`: counts its GPUs."""

    def cuInit(self, _flags: Any) -> int:  # noqa: N802  # the library's own name
        return 0

    def cuDeviceGetCount(self, count: Any) -> int:  # noqa: N802  # the library's own name
        count._obj.value = GPUS
        return 0


class Nvml:
    """`libnvidia-ml.so.1`: a second GPU and those after it do not tell their load."""

    def nvmlInit_v2(self) -> int:  # noqa: N802  # the library's own name
        return 0

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:  # noqa: N802  # the library's own name
        count._obj.value = GPUS
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: Any, handle: Any) -> int:  # noqa: N802  # the library's own name
        handle._obj.value = index.value + 1
        return 0

    def nvmlDeviceGetName(self, device: Any, name: Any, _room: Any) -> int:  # noqa: N802  # the library's own name
        name.value = f"NVIDIA Twin {device.value - 1}".encode()
        return 0

    def nvmlDeviceGetUtilizationRates(self, device: Any, load: Any) -> int:  # noqa: N802  # the library's own name
        load._obj.gpu = 37
        return 0 if device.value == 1 else NOT_SUPPORTED

    def nvmlDeviceGetMemoryInfo(self, _device: Any, memory: Any) -> int:  # noqa: N802  # the library's own name
        memory._obj.total, memory._obj.used, memory._obj.free = 24_000 * MB, 6_000 * MB, 18_000 * MB
        return 0


TWINS = {"libcuda.so.1": Driver(), "libnvidia-ml.so.1": Nvml()}
open_library = ctypes.CDLL


def open_twin(name: Any = None, *arguments: Any, **options: Any) -> Any:
    """Give the twin of a driver's library, and every other library as it is."""
    return TWINS.get(name) or open_library(name, *arguments, **options)


ctypes.CDLL = open_twin  # type: ignore[misc, assignment]  # a function takes the class's place
