"""Where a job's time went and what went wrong, as its page shows them: the breakdown's lines and the warnings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.domain.insight import Warned
from app.domain.job import JobWarning, StageBreakdown
from app.web.contexts.overlay import colour_of
from app.web.contexts.words import HEALTH_SIGNS, Sign, milliseconds, number

_SEEN: Final = 0.2
ROW_WORDS: Final = {
    "decode": "Decoding frames, or awaiting them",
    "prepare": "Loading plugins and warming up",
    "preview": "Making pictures for watchers",
    "write": "Writing outputs",
    "finalize": "Summing up",
}


@dataclass(frozen=True, slots=True)
class BreakdownRow:
    """A line of the breakdown; `share` is its part of all the time told of, 0 to 100."""

    stage: str
    note: str
    plugin: str
    colour: int | None
    share: float
    share_text: str
    total: str
    frames: str
    p50: str
    p95: str
    p99: str
    slowest: str
    budget: str
    over: str
    failures: str
    sign: Sign | None


@dataclass(frozen=True, slots=True)
class WarningView:
    """Something a person should know, with its count and the first traceback where there is one."""

    key: str
    code: str
    stage: str
    message: str
    count: str
    frames: str
    detail: str
    frame: int | None = None


@dataclass(frozen=True, slots=True)
class StackPart:
    """A part of the bar in which all the time told of lies side by side: its place and width, 0 to 100."""

    stage: str
    colour: int | None
    order: int
    x: float
    width: float


def view_stack(rows: Sequence[BreakdownRow]) -> tuple[StackPart, ...]:
    """Put the shares of all rows side by side; what is too narrow to be seen is left out."""
    parts, x, others = [], 0.0, 0
    for row in rows:
        others += row.colour is None
        if row.share >= _SEEN:
            parts.append(StackPart(row.stage, row.colour, others, round(x, 2), row.share))
        x += row.share
    return tuple(parts)


def view_breakdown(rows: Sequence[StageBreakdown], stages: Sequence[str]) -> tuple[BreakdownRow, ...]:
    """Give the breakdown's lines, each with its share of all the time told of."""
    whole = sum(row.timing.total_us for row in rows)
    return tuple(_breakdown_row(row, stages, 100 * row.timing.total_us / whole if whole else 0.0) for row in rows)


def _breakdown_row(row: StageBreakdown, stages: Sequence[str], share: float) -> BreakdownRow:
    timing = row.timing
    times = [milliseconds(timing.percentile_ms(p)) if timing.count else "–" for p in (50, 95, 99)]
    is_stage = row.plugin is not None
    return BreakdownRow(
        stage=row.stage,
        note=ROW_WORDS.get(row.stage, "") if not is_stage else "",
        plugin=row.plugin or "",
        colour=colour_of(row.stage, stages),
        share=round(share, 2),
        share_text=f"{share:.0f} %" if share >= 1 or not share else "<1 %",
        total=milliseconds(timing.total_ms) if timing.count else "–",
        frames=number(row.frames) if row.frames else "–" if not is_stage else "0",
        p50=times[0],
        p95=times[1],
        p99=times[2],
        slowest=milliseconds(timing.max_ms) if timing.count else "–",
        budget=milliseconds(row.budget_ms) if row.budget_ms else "–",
        over=number(row.over_budget) if is_stage else "–",
        failures=number(row.soft_failures) if is_stage else "–",
        sign=HEALTH_SIGNS[row.health] if is_stage and (row.frames or row.soft_failures or row.disabled) else None,
    )


def warning_of(insight: Warned) -> WarningView:
    """Give the warning an insight tells of."""
    frames = "" if insight.frame_index is None else f"first on frame {number(insight.frame_index)}"
    return WarningView(
        key=f"{insight.code}-{insight.stage or 'job'}",
        code=insight.code,
        stage=insight.stage or "",
        message=insight.message,
        count=_times(insight.count),
        frames=frames,
        detail="",
        frame=insight.frame_index,
    )


def view_warning(warning: JobWarning) -> WarningView:
    """Give a stored warning."""
    first, last = warning.first_frame_index, warning.last_frame_index
    frames = (
        "" if first is None else f"on frame {number(first)}" if last in {None, first} else f"on frames {first:,} to {last:,}"
    )
    return WarningView(
        key=f"{warning.code}-{warning.stage or 'job'}",
        code=warning.code,
        stage=warning.stage or "",
        message=warning.message,
        count=_times(warning.count),
        frames=frames,
        detail=warning.detail or "",
        frame=first,
    )


def _times(count: int) -> str:
    return "once" if count == 1 else "twice" if count == 2 else f"{count:,} times"
