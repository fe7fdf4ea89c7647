"""Times a plugin on each target it can use, against the budget it promises."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from app.domain.device import Target
from app.testing.endurance import measure
from app.testing.failure import CheckFailed
from app.testing.harness import Harness
from app.testing.sample import some_frames

_MOST_MS: Final = 60_000.0


class BenchRow(msgspec.Struct, frozen=True):
    """What a frame takes on one target, in milliseconds; `frames` is 0 and `reason` says why where nothing was timed."""

    target: str
    width: int
    height: int
    budget_ms: float
    frames: int = 0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0
    over_budget: bool = False
    reason: str = ""


def bench(harness: Harness, count: int, source: Path | None = None) -> Iterator[BenchRow]:
    """Time `count` frames of the sample, or of `source`, on each target the plugin lists; the CPU is always among them."""
    frames = some_frames(source) if source else harness.frames
    listed = harness.metadata.devices
    for target in (*listed, *(() if Target.CPU in listed else (Target.CPU,))):
        harness.device = target.value
        row = BenchRow(target.value, *frames[0].size, harness.metadata.latency_budget_ms)
        try:
            trial = harness.trial()
        except CheckFailed as failed:
            yield msgspec.structs.replace(row, reason=str(failed.facts["bug"]).splitlines()[0])
            continue
        if trial.decision.used is not target:
            yield msgspec.structs.replace(row, reason=trial.decision.reason)
            continue
        timing = measure(trial, frames, count, _MOST_MS)
        p50, p95, p99 = (timing.percentile_ms(percent) for percent in (50, 95, 99))
        yield msgspec.structs.replace(
            row, frames=timing.count, p50_ms=p50, p95_ms=p95, p99_ms=p99, max_ms=timing.max_ms,
            over_budget=p95 > row.budget_ms, reason=trial.decision.reason,
        )  # fmt: skip
