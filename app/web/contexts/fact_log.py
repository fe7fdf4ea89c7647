"""The log of a job's facts, newest first: each a time, a sign and a sentence."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zlib import crc32

from app.domain.health import Health
from app.domain.insight import Device, HealthChange, Insight, Status, Warned
from app.web.contexts.stage import TARGET_NAMES
from app.web.contexts.words import HEALTH_SIGNS, STATUS_SIGNS, Sign, moment, number

SHOWN_FACTS: Final = 40


@dataclass(frozen=True, slots=True)
class FactLine:
    """A line of the log; `key` is the same however the fact came, and sorts by its time."""

    key: str
    time: str
    moment: str
    iso: str
    sign: Sign
    text: str
    frame: int | None


def view_facts(facts: Iterable[Insight]) -> tuple[FactLine, ...]:
    """Give facts as lines of the log, in their order."""
    return tuple(view_fact(fact) for fact in facts)


def view_fact(insight: Insight) -> FactLine:
    """Give a fact as a line of the log."""
    sign, text = _SAY[type(insight)](insight)
    stage = getattr(insight, "stage", None)
    at: datetime = insight.at.astimezone(UTC)
    return FactLine(
        key=f"{at:%Y%m%d%H%M%S%f}-{crc32(f'{insight.type} {stage} {sign.word}'.encode())}",
        time=f"{at:%H:%M:%S}",
        moment=moment(at),
        iso=at.isoformat(),
        sign=sign,
        text=text,
        frame=insight.frame_index if isinstance(insight, Warned) else None,
    )


def _status(fact: Status) -> tuple[Sign, str]:
    before = f", after {STATUS_SIGNS[fact.previous].word.lower()}" if fact.previous else ""
    return STATUS_SIGNS[fact.status], (fact.reason or f"The job is {STATUS_SIGNS[fact.status].word.lower()}{before}.")


def _device(fact: Device) -> tuple[Sign, str]:
    used = TARGET_NAMES[fact.used]
    if fact.used is None:
        return Sign("Device", "circle-x", "bad"), f"{fact.stage} could not run: {fact.reason}"
    tone, icon = ("warn", "triangle-alert") if fact.fallback else ("ok", "cpu")
    word = "fell back to" if fact.fallback else "runs on"
    return Sign("Device", icon, tone), f"{fact.stage} {word} {used}: {fact.reason}"


def _health(fact: HealthChange) -> tuple[Sign, str]:
    sign = HEALTH_SIGNS[fact.health]
    well = "It does well." if fact.previous is None else "It does well again."
    reason = fact.reason if fact.health is not Health.OK or fact.reason else well
    return sign, f"{fact.stage}: {reason}" if reason else fact.stage


def _warning(fact: Warned) -> tuple[Sign, str]:
    times = f" ({number(fact.count)} times so far)" if fact.count > 1 else ""
    where = f" in {fact.stage}" if fact.stage else ""
    return Sign("Warning", "triangle-alert", "warn"), f"{fact.code}{where}{times}: {fact.message}"


_SAY: Final[dict[type, Callable[[Any], tuple[Sign, str]]]] = {
    Status: _status,
    Device: _device,
    HealthChange: _health,
    Warned: _warning,
}
