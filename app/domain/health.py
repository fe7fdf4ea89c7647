"""How well a stage does, and the rules that say so: by its recent past, with borders that are harder to leave than to cross."""

from collections import deque
from enum import StrEnum
from typing import Final, NamedTuple

WINDOW_FRAMES: Final = 200  # the recent past: at least so many frames, where there were so many
FIRST_JUDGED_FRAME: Final = 20  # fewer frames than this say nothing about how many take too long, and nothing good


class Health(StrEnum):
    """Health of a stage or plugin."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILING = "failing"


class HealthVerdict(NamedTuple):
    """Health with the sentence that explains it (empty when all is well and always was)."""

    health: Health
    reason: str


class Vitals(NamedTuple):
    """What a stage's health is judged by: frames tried, and of those how many failed, took too long, or cost a worker."""

    frames: int = 0
    failures: int = 0
    over_budget: int = 0
    restarts: int = 0


class _Border(NamedTuple):
    """Where a level of health begins, coming from a better one, and where it ends."""

    enter: float
    leave: float


_FAILURE_RATE: Final = {Health.FAILING: _Border(0.2, 0.1), Health.DEGRADED: _Border(0.01, 0.005)}
_OVER_SHARE: Final = {Health.DEGRADED: _Border(0.1, 0.05)}
_RESTARTS: Final = {Health.FAILING: _Border(3, 2), Health.DEGRADED: _Border(1, 1)}
_ORDER: Final = tuple(Health)


class RecentPast:
    """The vitals of a stage over its last frames; what is older is forgotten."""

    def __init__(self) -> None:
        self._parts: deque[Vitals] = deque()
        self.sum = Vitals()

    def add(self, part: Vitals) -> None:
        """Take in what happened since the last time; forget the oldest that is not needed for a full window."""
        if not any(part):
            return
        self._parts.append(part)
        self.sum = Vitals(*map(sum, zip(self.sum, part, strict=True)))
        while self.sum.frames - self._parts[0].frames >= WINDOW_FRAMES:
            oldest = self._parts.popleft()
            self.sum = Vitals(*(now - then for now, then in zip(self.sum, oldest, strict=True)))


def judge(recent: Vitals, previous: Health, budget_ms: float | None) -> HealthVerdict | None:
    """Judge a stage by its recent past; None where that says too little to take a bad verdict back."""
    tried = recent.frames
    rates = (recent.failures / tried, recent.over_budget / tried) if tried else (0.0, 0.0)
    judged = bool(budget_ms) and tried >= FIRST_JUDGED_FRAME
    levels = (
        (_level(_RESTARTS, recent.restarts, previous), _taken_down(recent)),
        (_level(_FAILURE_RATE, rates[0], previous, few=tried < FIRST_JUDGED_FRAME), _failed(recent)),
        (_level(_OVER_SHARE, rates[1] if judged else 0.0, previous), _slow(recent, budget_ms)),
    )
    health, reason = max(levels, key=lambda level: _ORDER.index(level[0]))
    if _ORDER.index(health) < _ORDER.index(previous) and tried < FIRST_JUDGED_FRAME:
        return None
    if health is Health.OK:
        reason = "" if previous is Health.OK else f"Well again: {_failed(recent)} {_slow(recent, budget_ms)}".strip()
    return HealthVerdict(health, reason)


def disabled(failures: int, tried: int) -> HealthVerdict:
    """The verdict on a stage that failed too often and is not run any more."""
    return HealthVerdict(Health.FAILING, f"Disabled after {_frames(failures)} of {tried} failed.")


def _level(borders: dict[Health, _Border], value: float, previous: Health, *, few: bool = False) -> Health:
    """The worst level a value is in; `few`: of so few frames that one failure must not look like a flood."""
    for health, border in borders.items():
        held = _ORDER.index(previous) >= _ORDER.index(health)
        if value and value >= (border.leave if held else border.enter) and not (few and health is Health.FAILING):
            return health
    return Health.OK


def _failed(recent: Vitals) -> str:
    rate = recent.failures / recent.frames if recent.frames else 0.0
    return f"{recent.failures or 'none'} of the last {_frames(recent.frames)} failed ({rate:.1%})."


def _slow(recent: Vitals, budget_ms: float | None) -> str:
    if not budget_ms:
        return ""
    return (
        f"{recent.over_budget or 'None'} of the last {_frames(recent.frames)} took longer than the budget of {budget_ms:g} ms."
    )


def _taken_down(recent: Vitals) -> str:
    times = "once" if recent.restarts == 1 else f"{recent.restarts} times"
    return f"It took its worker down {times} within the last {_frames(recent.frames)}."


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"
