"""A plugin's times over its past jobs as a plot: p50 to p95 of each use, against the budget it promises."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from app.domain.health import Health
from app.store.plugin_history import PluginUse
from app.web.contexts.words import HEALTH_SIGNS, milliseconds, percent, plural, promise

TOP: Final = 18.0  # pixels of the drawing: its scale is logarithmic, as times of plugins lie decades apart
BOTTOM: Final = 178.0
_ROOM: Final = 1.25  # of the scale, above the longest and below the shortest time
_MOST_TICKS: Final = 6
_TONES: Final = {Health.OK: "ok", Health.DEGRADED: "warn", Health.FAILING: "bad", None: "muted"}


@dataclass(frozen=True, slots=True)
class TickView:
    """A line of the scale."""

    y: float
    word: str


@dataclass(frozen=True, slots=True)
class UseMark:
    """One use: `x` in per cent of the width, `low` (p50) and `high` (p95) in pixels from the top; `health` is a tone."""

    x: float
    low: float
    high: float
    over: bool
    health: str
    words: str


@dataclass(frozen=True, slots=True)
class VersionMark:
    """Where another version came into use."""

    x: float
    word: str
    anchor: str


@dataclass(frozen=True, slots=True)
class PlotView:
    """The plot; `verdict` says in a sentence what it shows, and `tone` how good that is."""

    verdict: str
    tone: str
    ticks: tuple[TickView, ...]
    uses: tuple[UseMark, ...]
    versions: tuple[VersionMark, ...]
    budget: TickView | None
    height: float = BOTTOM + 30
    bottom: float = BOTTOM
    health_y: float = BOTTOM + 17


def view_plot(uses: Sequence[PluginUse], budget_ms: float | None) -> PlotView | None:
    """Draw uses (the newest first); None where none was timed. `budget_ms` is what the plugin promises now."""
    timed = [use for use in reversed(uses) if use.timing.count]
    if not timed:
        return None
    times = [(use.timing.percentile_ms(50), use.timing.percentile_ms(95)) for use in timed]
    shown = [max(ms, 0.001) for pair in times for ms in pair] + ([budget_ms] if budget_ms else [])
    scale = _Scale(min(shown) / _ROOM, max(shown) * _ROOM)
    places = [round((number + 0.5) / len(timed) * 100, 2) for number in range(len(timed))]
    marks = tuple(
        UseMark(x, scale.y(p50), scale.y(p95), _over(p95, use, budget_ms), _TONES[use.health], _words(use, p50, p95))
        for x, use, (p50, p95) in zip(places, timed, times, strict=True)
    )
    over = sum(mark.over for mark in marks)
    return PlotView(
        verdict=_verdict(timed, over, budget_ms),
        tone="warn" if over else "ok",
        ticks=tuple(TickView(scale.y(ms), _tick(ms)) for ms in scale.ticks()),
        uses=marks,
        versions=tuple(_versions(timed, places)),
        budget=TickView(scale.y(budget_ms), f"budget {promise(budget_ms)}") if budget_ms else None,
    )


def view_spark(p95_ms: Sequence[float], budget_ms: float) -> tuple[tuple[float, float, bool], ...]:
    """Give the newest p95 as bars of 0 to 100, against the budget at 70: x, height, and whether it is over."""
    step = 100 / max(12, len(p95_ms))
    first = 100 - step * len(p95_ms)
    return tuple(
        (round(first + step * number, 2), round(min(100.0, max(3.0, 70 * ms / budget_ms)), 1), ms > budget_ms)
        for number, ms in enumerate(p95_ms)
    )


class _Scale:
    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = math.log10(low), math.log10(high)

    def y(self, ms: float) -> float:
        share = (math.log10(max(ms, 0.001)) - self._low) / (self._high - self._low)
        return round(BOTTOM - share * (BOTTOM - TOP), 1)

    def ticks(self) -> list[float]:
        decades = range(math.floor(self._low), math.ceil(self._high) + 1)
        for steps in ((1, 2, 5), (1, 3), (1,)):
            found = [step * 10.0**decade for decade in decades for step in steps]
            within = [ms for ms in found if self._low <= math.log10(ms) <= self._high]
            if len(within) <= _MOST_TICKS:
                break
        return within or [10 ** ((self._low + self._high) / 2)]


def _tick(ms: float) -> str:
    if ms >= 1000:
        return f"{ms / 1000:.3g} s"
    return f"{ms:.3g} ms" if ms >= 1 else f"{ms * 1000:.3g} µs"


def _over(p95: float, use: PluginUse, budget_ms: float | None) -> bool:
    budget = use.budget_ms or budget_ms
    return bool(budget) and p95 > (budget or 0)


def _words(use: PluginUse, p50: float, p95: float) -> str:
    health = HEALTH_SIGNS[use.health].word.lower() if use.health else "not judged"
    return f"{use.job_name}: p50 {milliseconds(p50)}, p95 {milliseconds(p95)}, {plural(use.frames, 'frame')}, {health}"


def _versions(uses: Sequence[PluginUse], places: Sequence[float]) -> Iterator[VersionMark]:
    for (before, after), (left, right) in zip(pairwise(uses), pairwise(places), strict=True):
        if after.version and before.version != after.version:
            x = round((left + right) / 2, 2)
            yield VersionMark(x, f"version {after.version}", "end" if x > 70 else "start")


def _verdict(uses: Sequence[PluginUse], over: int, budget_ms: float | None) -> str:
    newest = uses[-1].timing.percentile_ms(95)
    told = f"In its newest use p95 was {milliseconds(newest)}"
    told += f", {percent(newest / budget_ms)} of the {promise(budget_ms)} it promises." if budget_ms else "."
    if not over:
        return f"{told} It kept its budget in each of the last {plural(len(uses), 'use')}." if len(uses) > 1 else told
    return f"{told} It was over its budget in {over} of the last {plural(len(uses), 'use')}."
