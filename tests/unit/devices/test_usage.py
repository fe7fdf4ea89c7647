"""Load of the machine and memory of our processes, read from the real thing."""

import os
import subprocess
import sys

import psutil
import pytest

from app.devices.nvml import read_gpus
from app.devices.usage import Meter

HOLDS_60_MB = (
    "import sys; held = bytearray(60_000_000); held[::4096] = b'x' * len(held[::4096]); print('held', flush=True); input()"
)


def test_the_load_lies_between_0_and_100() -> None:
    meter = Meter()
    sum(range(3_000_000))
    assert 0 <= meter.cpu_percent() <= 100


def test_a_busy_core_is_seen() -> None:
    meter = Meter()
    start = os.times()
    while sum(os.times()[:2]) - sum(start[:2]) < 0.3:
        pass
    assert meter.cpu_percent() > 50 / (os.cpu_count() or 1)


def test_asking_twice_at_once_gives_a_number() -> None:
    meter = Meter()
    assert all(0 <= meter.cpu_percent() <= 100 for _ in range(50))


def test_memory_is_that_of_this_process_and_of_those_asked_for() -> None:
    meter = Meter()
    alone = meter.read()
    with subprocess.Popen([sys.executable, "-c", HOLDS_60_MB], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        both = meter.read([child.pid])
        child.communicate(b"\n")
    assert alone.rss_mb == {}
    assert alone.memory_mb == pytest.approx(psutil.Process().memory_info().rss / 1e6, rel=0.2)
    assert 60 < both.rss_mb[child.pid] < 200
    assert both.memory_mb == pytest.approx(alone.memory_mb + both.rss_mb[child.pid], rel=0.1)


def test_a_process_that_has_ended_is_left_out() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert Meter().read([child.pid, os.getpid()]).rss_mb.keys() == {os.getpid()}


def test_gpus_are_listed_with_sane_numbers_or_not_at_all() -> None:
    gpus = read_gpus()
    assert Meter().gpus() == gpus or len(Meter().gpus()) == len(gpus)
    for gpu in gpus:
        assert gpu.name
        assert 0 <= gpu.utilisation_percent <= 100
        assert 0 <= gpu.memory_used_mb <= gpu.memory_total_mb
