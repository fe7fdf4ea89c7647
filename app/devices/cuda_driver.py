"""The CUDA driver, asked directly: whether it is here, and how many GPUs it shows to a process of this environment."""

import ctypes
from typing import Any, Final

_LIBRARY: Final = "libcuda.so.1"


def has_cuda_driver() -> bool:
    """Say whether the driver's library is here; it is not started, so that a server may ask."""
    return _load() is not None


def count_cuda_devices() -> int:
    """Count the GPUs that CUDA can use, in CUDA's own numbering (`CUDA_VISIBLE_DEVICES` counts). Starts the driver here."""
    driver, count = _load(), ctypes.c_int()
    if driver is None or driver.cuInit(ctypes.c_uint(0)) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


def _load() -> Any:
    try:
        return ctypes.CDLL(_LIBRARY)
    except OSError:
        return None
