"""How long a stage takes for a frame against the budget its plugin promises, drawn to one scale."""

from dataclasses import dataclass

from app.domain.job import StageBreakdown
from app.domain.load import StageMetrics
from app.web.contexts.words import milliseconds, percent


@dataclass(frozen=True, slots=True)
class LatencyView:
    """Places on a scale of 0 to 100: median, 95th percentile, and the budget (None where the plugin promises none)."""

    stage: str
    p50: float
    p95: float
    budget: float | None
    tone: str
    text: str


def latency_of(metrics: StageMetrics) -> LatencyView:
    """Give the latency over the last moments."""
    return view_latency(metrics.stage, metrics.p50_ms, metrics.p95_ms, metrics.budget_ms)


def latency_of_row(row: StageBreakdown | None) -> LatencyView | None:
    """Give the latency over the whole job, None before its first frame."""
    if row is None or not row.timing.count:
        return None
    return view_latency(row.stage, row.timing.percentile_ms(50), row.timing.percentile_ms(95), row.budget_ms)


def view_latency(stage: str, p50_ms: float, p95_ms: float, budget_ms: float | None) -> LatencyView:
    """Draw the budget at four fifths of the scale, or further left where p95 lies beyond the scale's end."""
    text = f"p50 {milliseconds(p50_ms)}, p95 {milliseconds(p95_ms)}"
    if not budget_ms:
        whole = (p95_ms or 1.0) * 1.25
        return LatencyView(stage, _at(p50_ms, whole), _at(p95_ms, whole), None, "accent", text)
    whole = max(budget_ms * 1.25, p95_ms)
    used = p95_ms / budget_ms
    tone = "ok" if used <= 0.8 else "accent" if used <= 1 else "warn"
    said = f"{text}: {percent(used)} of the budget of {milliseconds(budget_ms)}"
    return LatencyView(stage, _at(p50_ms, whole), _at(p95_ms, whole), _at(budget_ms, whole), tone, said)


def _at(value: float, whole: float) -> float:
    return round(100 * value / whole, 1)
