"""Words and numbers as a person reads them: durations, counts, sizes, times, and the look of a status."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from app.domain.health import Health
from app.domain.job import JobStatus


@dataclass(frozen=True, slots=True)
class Sign:
    """How a state is shown: a word, an icon of the sprite, and a tone (`ok warn bad accent muted`)."""

    word: str
    icon: str
    tone: str


STATUS_SIGNS: Final[dict[JobStatus, Sign]] = {
    JobStatus.QUEUED: Sign("Queued", "clock", "muted"),
    JobStatus.RUNNING: Sign("Running", "activity", "accent"),
    JobStatus.PAUSED: Sign("Paused", "pause", "warn"),
    JobStatus.FINALIZING: Sign("Finalizing", "flag", "accent"),
    JobStatus.COMPLETED: Sign("Completed", "circle-check", "ok"),
    JobStatus.COMPLETED_WITH_WARNINGS: Sign("Completed with warnings", "triangle-alert", "warn"),
    JobStatus.FAILED: Sign("Failed", "circle-x", "bad"),
    JobStatus.CANCELLED: Sign("Cancelled", "ban", "muted"),
}
HEALTH_SIGNS: Final[dict[Health, Sign]] = {
    Health.OK: Sign("Healthy", "circle-check", "ok"),
    Health.DEGRADED: Sign("Degraded", "triangle-alert", "warn"),
    Health.FAILING: Sign("Failing", "circle-x", "bad"),
}


def slug(text: str) -> str:
    """Make a name fit for an id and a CSS selector: what neither takes is written as its number."""
    return re.sub(r"[^A-Za-z0-9_-]", lambda match: f"-{ord(match[0]):x}-", text)


def number(value: float) -> str:
    """Write a number with thin groups and no more digits than it deserves."""
    if isinstance(value, int) or value == int(value):
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.2f}"


def plural(count: int, one: str, many: str = "") -> str:
    """Write a count with its noun: `1 frame`, `795 frames`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def milliseconds(value: float | None) -> str:
    """Write a duration given in milliseconds; a dash where there is none."""
    if value is None:
        return "–"
    if value >= 10_000:
        return seconds(value / 1000)
    if value >= 1000:
        return f"{value / 1000:.2f} s"
    return f"{value:.0f} ms" if value >= 100 else f"{value:.1f} ms" if value >= 1 else f"{value * 1000:.0f} µs"


def promise(ms: float) -> str:
    """Write a budget, as its plugin's author wrote it: no digit more."""
    return f"{ms:g} ms" if ms < 1000 else f"{ms / 1000:g} s"


def seconds(value: float | None) -> str:
    """Write a duration given in seconds, the two largest units."""
    if value is None:
        return "–"
    whole = round(value)
    if whole < 60:
        return f"{value:.1f} s" if value < 10 and value != whole else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def media_time(t_s: float | None) -> str:
    """Write a place in a video: `0:33.4`; empty where unknown."""
    if t_s is None:
        return ""
    tenths = round(t_s * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{rest // 10:02d}.{rest % 10}"


def size(count: float | None) -> str:
    """Write a number of bytes in the unit that fits."""
    if count is None:
        return "size unknown"
    for unit in ("bytes", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def megabytes(count: float) -> str:
    """Write a number of megabytes."""
    return size(count * 1_000_000)


def moment(when: datetime | None) -> str:
    """Write a time for reading, in UTC."""
    return f"{when.astimezone(UTC):%-d %b %Y, %H:%M:%S} UTC" if when else "–"


def ago(when: datetime, now: datetime | None = None) -> str:
    """Say how long ago something was, roughly."""
    passed = ((now or datetime.now(UTC)) - when).total_seconds()
    if passed < 45:
        return "just now"
    if passed < 3600:
        return f"{max(1, round(passed / 60))} min ago"
    if passed < 86_400:
        return f"{round(passed / 3600)} h ago"
    days = round(passed / 86_400)
    return f"{plural(days, 'day')} ago" if days < 30 else f"{when.astimezone(UTC):%-d %b %Y}"


def percent(fraction: float) -> str:
    """Write a fraction as whole per cent."""
    return f"{fraction:.0%}".replace("%", " %")
