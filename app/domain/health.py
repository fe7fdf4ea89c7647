"""How well a stage does, and the rules that say so."""

from enum import StrEnum
from typing import Final, NamedTuple

DEGRADED_ERROR_RATE: Final = 0.01
FAILING_ERROR_RATE: Final = 0.2
FIRST_JUDGED_FRAME: Final = 20  # fewer frames than this say nothing about a rate or a percentile


class Health(StrEnum):
    """Health of a stage or plugin."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILING = "failing"


class HealthVerdict(NamedTuple):
    """Health with the sentence that explains it (empty when all is well)."""

    health: Health
    reason: str


def judge(*, frames: int, soft_failures: int, p95_ms: float, budget_ms: float | None, disabled: bool = False) -> HealthVerdict:
    """Judge a stage by its soft failures and by its p95 latency against the budget it promises (milliseconds)."""
    tried = frames + soft_failures
    rate = soft_failures / tried if tried else 0.0
    if disabled:
        return HealthVerdict(Health.FAILING, f"Disabled after {_frames(soft_failures)} of {tried} failed.")
    if tried >= FIRST_JUDGED_FRAME and rate >= FAILING_ERROR_RATE:
        return HealthVerdict(Health.FAILING, f"{_frames(soft_failures)} of {tried} failed ({rate:.0%}).")
    if soft_failures and rate >= DEGRADED_ERROR_RATE:
        return HealthVerdict(Health.DEGRADED, f"{_frames(soft_failures)} of {tried} failed ({rate:.1%}).")
    if budget_ms and tried >= FIRST_JUDGED_FRAME and p95_ms > budget_ms:
        return HealthVerdict(Health.DEGRADED, f"p95 is {p95_ms:.1f} ms, over the budget of {budget_ms:g} ms.")
    return HealthVerdict(Health.OK, "")


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"
