"""Writes a device decision down: its attempts one by one, and the sentence a person reads."""

from collections.abc import Iterable
from typing import Final

from app.devices.runtime import NAMES, Obstacle
from app.domain.device import AttemptOutcome, DeviceAttempt, DeviceDecision, DeviceRequest, FallbackCode, Target

NO_NETWORK: Final = "The plugin runs no network"


class Record:
    """What came of each target tried for one network, in order.

    Under `auto` a target that is not here is skipped, and only one that is here and failed makes a fallback; a target
    asked for by name makes one whatever kept it from being used.
    """

    def __init__(self, request: DeviceRequest, stage: str) -> None:
        self._request, self._stage = request, stage
        self._attempts: list[DeviceAttempt] = []
        self._absent: list[Target] = []
        self.first: Obstacle | None = None  # what makes this a fallback
        self.last: Obstacle | None = None

    def absent(self, target: Target, obstacle: Obstacle) -> None:
        """The target is not here."""
        auto = self._request.target is None
        self._note(target, AttemptOutcome.SKIPPED if auto else AttemptOutcome.FAILED, obstacle, counts=not auto)
        self._absent.append(target)

    def failed(self, target: Target, obstacle: Obstacle) -> None:
        """The target is here and was tried in vain."""
        self._note(target, AttemptOutcome.FAILED, obstacle, counts=target is not Target.CPU)

    def used(self, target: Target, note: str, warmup_ms: float) -> DeviceDecision:
        """The target is used; `note` is a further sentence about it, or empty."""
        told = f"The network ran on {NAMES[target]}." + (f" {note}" if note else "")
        self._attempts.append(DeviceAttempt(target, AttemptOutcome.USED, None, told))
        reason = self._why(f"{self._stage} ran on {NAMES[target]}") + (f" {note}" if note else "")
        return self._decide(target, self.first, reason, warmup_ms)

    def refused(self) -> DeviceDecision:
        """Nothing that is allowed could be used."""
        obstacle = self.first or self.last
        cure = f" {obstacle.cure[0].upper()}{obstacle.cure[1:]}." if obstacle and obstacle.cure else ""
        return self._decide(None, obstacle, self._why(f"{self._stage} did not run", obstacle) + cure, None)

    def _note(self, target: Target, outcome: AttemptOutcome, obstacle: Obstacle, *, counts: bool) -> None:
        self._attempts.append(DeviceAttempt(target, outcome, obstacle.code, obstacle.told))
        self.last = obstacle
        if counts and self.first is None:
            self.first = obstacle

    def _why(self, so: str, obstacle: Obstacle | None = None) -> str:
        obstacle = obstacle or self.first
        if obstacle is not None:
            return f"{obstacle.clause}, so {so}."
        if self._absent:
            verb = "is" if len(self._absent) == 1 else "are"
            return f"{list_names(NAMES[target] for target in self._absent)} {verb} not available here, so {so}."
        return f"{so}."

    def _decide(self, used: Target | None, obstacle: Obstacle | None, reason: str, warmup_ms: float | None) -> DeviceDecision:
        return DeviceDecision(
            requested=str(self._request), used=used, fallback=obstacle is not None,
            code=obstacle.code if obstacle else None, reason=reason, attempts=tuple(self._attempts), warmup_ms=warmup_ms,
        )  # fmt: skip


def worst_of(decisions: Iterable[DeviceDecision]) -> DeviceDecision:
    """Give the decision that stands for a stage with several networks: what ran nowhere, fell back, or ran farthest down."""
    order = list(Target)
    return max(decisions, key=lambda one: (one.used is None, one.fallback, order.index(one.used) if one.used else 0))


def decide_without_network(request: DeviceRequest, *, strict: bool = False) -> DeviceDecision:
    """Decide for a plugin that runs no network: it uses the CPU, and any other target asked for does not apply to it.

    With `strict` it may then not run at all.
    """
    on_cpu = DeviceAttempt(Target.CPU, AttemptOutcome.USED, None, f"{NO_NETWORK}; its code runs on the CPU.")
    if request.target in (None, Target.CPU):
        return DeviceDecision(
            requested=str(request), used=Target.CPU, fallback=False, code=None, reason=on_cpu.reason,
            attempts=(on_cpu,), warmup_ms=None,
        )  # fmt: skip
    reason = f"{NO_NETWORK}, so {request} does not apply to it; its code runs on the CPU."
    skipped = DeviceAttempt(request.target, AttemptOutcome.SKIPPED, FallbackCode.NOT_APPLICABLE, f"{NO_NETWORK}.")
    return DeviceDecision(
        requested=str(request), used=None if strict else Target.CPU, fallback=True, code=FallbackCode.NOT_APPLICABLE,
        reason=reason, attempts=(skipped,) if strict else (skipped, on_cpu), warmup_ms=None,
    )  # fmt: skip


def list_names(names: Iterable[str]) -> str:
    """'A, B and C'."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
