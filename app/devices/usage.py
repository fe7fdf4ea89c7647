"""How busy this machine is, and how much memory Sightline's processes hold."""

import os
from collections.abc import Iterable
from typing import NamedTuple

import psutil

from app.devices.nvml import read_gpus
from app.domain.load import GpuUsage

_MB = 1_000_000


class Load(NamedTuple):
    """One reading: load of all cores together since the reading before, memory of this process and the others asked for.

    `rss_mb` holds the resident memory of each process asked for that is alive, in MB (1,000,000 bytes).
    """

    cpu_percent: float
    memory_mb: float
    rss_mb: dict[int, float]
    gpus: tuple[GpuUsage, ...]


class Meter:
    """Reads the machine's load; keeps the counters of its last reading, so each meter measures its own span."""

    def __init__(self) -> None:
        self._before = _cpu_seconds()

    def read(self, pids: Iterable[int] = ()) -> Load:
        """Read the load now; processes that have ended are left out."""
        rss = self.rss_mb(pids)
        return Load(self.cpu_percent(), round(sum(rss.values()) + _own_mb(), 1), rss, self.gpus())

    def cpu_percent(self) -> float:
        """Give the load of all cores together since the last reading, 0 to 100."""
        busy, total = _cpu_seconds()
        busy_before, total_before = self._before
        if total <= total_before:
            return 0.0  # asked twice within one tick of the kernel's clock
        self._before = (busy, total)
        return round(min(100.0, max(0.0, 100 * (busy - busy_before) / (total - total_before))), 1)

    def rss_mb(self, pids: Iterable[int]) -> dict[int, float]:
        """Give the resident memory of each process that is alive, in MB."""
        found = {}
        for pid in pids:
            try:
                found[pid] = round(psutil.Process(pid).memory_info().rss / _MB, 1)
            except psutil.Error:
                continue  # it ended between being listed and being read
        return found

    def gpus(self) -> tuple[GpuUsage, ...]:
        """Give the load of each NVIDIA GPU that NVML shows."""
        return read_gpus()


def _own_mb() -> float:
    return float(psutil.Process(os.getpid()).memory_info().rss / _MB)


def _cpu_seconds() -> tuple[float, float]:
    """Seconds all cores together were busy, and altogether, since the machine started."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)  # iowait: Linux only
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)  # guests stand in user already
    return total - idle, total
