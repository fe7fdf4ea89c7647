"""How fast a stage is, against the budget its plugin promises."""

from dataclasses import dataclass, replace

from app.domain.job import StageBreakdown
from app.domain.load import StageMetrics
from app.web.contexts.curve import NO_CURVE, CurveView
from app.web.contexts.words import milliseconds, number, percent


@dataclass(frozen=True, slots=True)
class SpeedView:
    """How fast a stage is: over the last moments, or over the whole job."""

    stage: str
    span: str
    numbers: tuple[tuple[str, str], ...]
    fill: int
    over: bool
    budget: str
    curve: CurveView | None = None  # None where no curve will come, NO_CURVE where its place is kept


def speed_of(metrics: StageMetrics, curve: CurveView = NO_CURVE) -> SpeedView:
    """Give a stage's speed over the last moments, and how its slowest frames have gone."""
    numbers = (
        ("Speed", f"{number(round(metrics.fps, 1))} fps"),
        ("p50", milliseconds(metrics.p50_ms)),
        ("p95", milliseconds(metrics.p95_ms)),
        ("Over budget", number(metrics.over_budget)),
        ("Failed", number(metrics.soft_failures)),
    )
    speed = _speed(metrics.stage, "Over the last moments", numbers, metrics.p95_ms, metrics.budget_ms)
    return replace(speed, curve=curve)


def speed_not_yet(stage: str, budget_ms: float | None) -> SpeedView:
    """Give the speed of a stage before its first frame: dashes keep the places of the numbers."""
    numbers = tuple((name, "–") for name in ("Speed", "p50", "p95", "Over budget", "Failed"))
    budget = f"The budget is {milliseconds(budget_ms)} per frame" if budget_ms else ""
    return SpeedView(stage, "No frame timed yet", numbers, 0, False, budget, NO_CURVE)


def speed_of_row(row: StageBreakdown) -> SpeedView:
    """Give a stage's speed over the whole job."""
    timing = row.timing
    numbers = (
        ("Frames", number(row.frames)),
        ("p50", milliseconds(timing.percentile_ms(50))),
        ("p95", milliseconds(timing.percentile_ms(95))),
        ("Over budget", number(row.over_budget)),
        ("Failed", number(row.soft_failures)),
    )
    return _speed(row.stage, "Over all frames done", numbers, timing.percentile_ms(95), row.budget_ms)


def _speed(stage: str, span: str, numbers: tuple[tuple[str, str], ...], p95_ms: float, budget_ms: float | None) -> SpeedView:
    if not budget_ms:
        return SpeedView(stage, span, numbers, 0, False, "")
    used = p95_ms / budget_ms
    text = f"p95 uses {percent(used)} of the budget of {milliseconds(budget_ms)} per frame"
    return SpeedView(stage, span, numbers, min(100, round(100 * used)), used > 1, text)
