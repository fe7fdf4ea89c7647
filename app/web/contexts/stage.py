"""The stages of a job as its page shows them: where each ran and why, how well and how fast, and what went wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from app.domain.device import AttemptOutcome, DeviceAttempt, DeviceDecision, Target
from app.domain.health import Health
from app.domain.insight import Device, HealthChange
from app.domain.job import StageBreakdown
from app.domain.pipeline import Condition, OnError, Stage
from app.web.contexts.curve import NO_CURVE
from app.web.contexts.found import FoundView
from app.web.contexts.overlay import colour_of
from app.web.contexts.speed import SpeedView, speed_not_yet, speed_of_row
from app.web.contexts.words import HEALTH_SIGNS, Sign, milliseconds, number, percent

TARGET_NAMES: Final[dict[Target | None, str]] = {
    Target.CUDA: "CUDA",
    Target.CUDA_FP16: "CUDA, half precision",
    Target.OPENVINO: "OpenVINO",
    Target.OPENCL: "OpenCL",
    Target.CPU: "CPU",
    None: "nothing",
}
OUTCOME_SIGNS: Final[dict[AttemptOutcome, Sign]] = {
    AttemptOutcome.USED: Sign("used", "circle-check", "ok"),
    AttemptOutcome.FAILED: Sign("failed", "circle-x", "bad"),
    AttemptOutcome.SKIPPED: Sign("skipped", "circle-dashed", "muted"),
}
ON_ERROR_WORDS: Final = {
    OnError.SKIP_FRAME: "skip the frame",
    OnError.DISABLE_STAGE: "disable the stage",
    OnError.FAIL_JOB: "fail the job",
}


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One target tried for a stage."""

    target: str
    sign: Sign
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class DecisionView:
    """Where a stage runs and why; `known` is False until it was decided."""

    stage: str
    known: bool
    used: str
    requested: str
    sign: Sign
    reason: str
    code: str
    attempts: tuple[AttemptView, ...]
    warmup: str


@dataclass(frozen=True, slots=True)
class HealthView:
    """How well a stage does."""

    stage: str
    plugin: str
    sign: Sign
    reason: str


@dataclass(frozen=True, slots=True)
class PanelView:
    """The inspector's panel of one stage."""

    stage: str
    plugin: str
    version: str
    colour: int
    settings: tuple[tuple[str, str], ...]
    speed: SpeedView
    found: FoundView | None
    summary: tuple[tuple[str, str], ...]


def decision_of(insight: Device) -> DecisionView:
    """Give the decision an insight tells of."""
    decision = DeviceDecision(
        insight.requested, insight.used, insight.fallback, insight.code, insight.reason, insight.attempts, None
    )
    return view_decision(insight.stage, decision)


def view_decision(stage: str, decision: DeviceDecision | None) -> DecisionView:
    """Give where a stage runs, with every attempt."""
    if decision is None:
        waiting = Sign("Not decided yet", "clock", "muted")
        return DecisionView(
            stage, False, "Not decided yet", "", waiting, "Decided when a worker prepares the stage.", "", (), ""
        )
    tone = "bad" if decision.used is None else "warn" if decision.fallback else "ok"
    icon = {"bad": "circle-x", "warn": "triangle-alert", "ok": "cpu"}[tone]
    used = TARGET_NAMES[decision.used]
    word = f"Fell back to {used}" if decision.fallback else f"Ran on {used}"
    return DecisionView(
        stage=stage,
        known=True,
        used=used,
        requested=decision.requested,
        sign=Sign(word, icon, tone),
        reason=decision.reason,
        code=decision.code.value if decision.code else "",
        attempts=tuple(_attempt(attempt) for attempt in decision.attempts),
        warmup="" if decision.warmup_ms is None else milliseconds(decision.warmup_ms),
    )


def _attempt(attempt: DeviceAttempt) -> AttemptView:
    code = attempt.code.value if attempt.code else ""
    return AttemptView(TARGET_NAMES[attempt.target], OUTCOME_SIGNS[attempt.outcome], code, attempt.reason)


def health_of(insight: HealthChange) -> HealthView:
    """Give the health an insight tells of."""
    return view_health(insight.stage, insight.plugin, insight.health, insight.reason)


def view_health(stage: str, plugin: str, health: Health, reason: str) -> HealthView:
    """Give a stage's health with the sentence that explains it."""
    return HealthView(stage, plugin, HEALTH_SIGNS[health], reason)


def unknown_health(stage: str, plugin: str) -> HealthView:
    """Give the health of a stage that has done no frame yet."""
    return HealthView(stage, plugin, Sign("Not known yet", "clock", "muted"), "")


def view_panel(
    stage: Stage,
    stages: Sequence[str],
    row: StageBreakdown | None,
    found: FoundView | None,
    budget_ms: float | None,
    *,
    live: bool = False,
) -> PanelView:
    """Give the inspector's panel of a stage from what is stored; where it is live, the curve to come has its place."""
    settings = [(name.replace("_", " "), plain(value)) for name, value in stage.options.items()]
    if stage.needs:
        settings.append(("needs", ", ".join(stage.needs)))
    if stage.every > 1:
        settings.append(("runs on", f"every {stage.every}th frame"))
    if stage.when:
        settings.append(("runs where", _condition(stage.when)))
    if stage.device:
        settings.append(("device asked for", stage.device))
    if budget_ms:
        settings.append(("latency budget", milliseconds(budget_ms)))
    settings.append(("when a frame fails", ON_ERROR_WORDS[stage.policy.on_error]))
    summary = row.summary if row and row.summary else {}
    speed = speed_of_row(row) if row and row.timing.count else speed_not_yet(stage.id, budget_ms)
    return PanelView(
        stage=stage.id,
        plugin=stage.plugin,
        version=(row.version or "") if row else "",
        colour=colour_of(stage.id, stages) or 1,
        settings=tuple(settings),
        speed=replace(speed, curve=NO_CURVE if live else None),
        found=found,
        summary=view_summary(summary),
    )


def _condition(when: Condition) -> str:
    found = f"{when.stage} found {when.label or 'something'}"
    return f"{found}, at least {percent(when.min_confidence)} sure" if when.min_confidence else found


def view_summary(summary: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Give a stage's summary as names and plain words."""
    return tuple((str(name).replace("_", " "), plain(value)) for name, value in summary.items())


def plain(value: Any) -> str:
    """Write any value of an option or a summary as a person reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value in ("", [], {}):
        return "–"
    if isinstance(value, int | float):
        return number(value) if isinstance(value, int) else f"{value:g}" if abs(value) < 1000 else number(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {plain(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(inner) for inner in value)
    return str(value)
