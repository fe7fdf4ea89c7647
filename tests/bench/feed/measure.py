"""One measurement: a server, so many readers, and what a plan costs and how late it comes."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, Self

import psutil

from tests.bench.feed.contestants import ROOT, Contestant
from tests.bench.feed.plans import Plan

_SETTLE_S = 1.0


class Measured(NamedTuple):
    """What came of it. Processor time is the server's, for each message at a client; ages are from `at` to the client."""

    deliveries: float
    share: float  # of what was published, times the readers: below 1 where newer values replaced older ones
    cpu_us: float
    cpu_percent: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    kb_each: float


class Readers:
    """A process of light clients, all connected."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @classmethod
    @contextmanager
    def connected(cls, contestant: Contestant, count: int, *receive_bytes: int) -> Iterator[Self]:
        """Connect so many, each with a receive buffer of its own accord or of a fixed size."""
        numbers = map(str, (count, *receive_bytes))
        command = [sys.executable, "-m", "tests.bench.feed.readers", str(contestant.port), "/feed", *numbers]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
        with subprocess.Popen(command, cwd=ROOT, **pipes) as process:
            readers = cls(process)
            try:
                assert readers._answer() == "connected"
                yield readers
            finally:
                process.kill()

    def start(self) -> None:
        """Count from nothing."""
        self._tell("start")

    def stop(self) -> dict[str, list[float]]:
        """Give what was counted."""
        self._tell("stop")
        return dict(json.loads(self._answer()))

    def suspend(self) -> None:
        """Take nothing any more."""
        psutil.Process(self._process.pid).suspend()

    def _tell(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def percentile(ordered: list[float], share: float) -> float:
    """Give a percentile of ordered values; 0 where there are none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def measure(contestant: Contestant, readers: int, plan: Plan, seconds: float) -> Measured:
    """Connect readers to a fresh server, publish, and count in the middle of it."""
    before_kb = contestant.rss_kb
    with Readers.connected(contestant, readers) as clients:
        time.sleep(_SETTLE_S)
        kb_each = (contestant.rss_kb - before_kb) / readers
        contestant.publish(plan, seconds + 2 * _SETTLE_S)
        time.sleep(_SETTLE_S)
        return window(contestant, clients, readers, plan, seconds)._replace(kb_each=round(kb_each, 1))


def window(contestant: Contestant, clients: Readers, readers: int, plan: Plan, seconds: float) -> Measured:
    """Count for some seconds while insights are published."""
    clients.start()
    cpu, began = contestant.cpu_s, time.monotonic()
    time.sleep(seconds)
    used, took = contestant.cpu_s - cpu, time.monotonic() - began
    counted = clients.stop()
    messages, ages = float(counted["messages"]), counted["ages_ms"]
    return Measured(
        deliveries=messages,
        share=round(messages / (readers * plan.rate * took), 3),
        cpu_us=round(used / max(1.0, messages) * 1e6, 2),
        cpu_percent=round(used / took * 100, 1),
        p50_ms=round(percentile(ages, 0.50), 1),
        p95_ms=round(percentile(ages, 0.95), 1),
        p99_ms=round(percentile(ages, 0.99), 1),
        kb_each=0.0,
    )
