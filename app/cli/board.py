"""What `sightline watch` shows in a terminal: each job's progress, speed, stages, devices, health and warnings, as they are."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from app.cli.lines import frames, plain, usage
from app.cli.tables import STYLES
from app.domain.health import Health
from app.domain.insight import Device, Gap, HealthChange, Insight, Metrics, Progress, Status, Usage, Warned
from app.domain.job import JobStatus

_WARNINGS_SHOWN: Final = 5
_BAR: Final = 60


@dataclass(slots=True)
class _Seen:
    """What is known of one job."""

    name: str
    status: JobStatus | None = None
    reason: str | None = None
    progress: Progress | None = None
    metrics: Metrics | None = None
    devices: dict[str, Device] = field(default_factory=dict)
    health: dict[str, HealthChange] = field(default_factory=dict)
    warnings: dict[tuple[str, str | None], Warned] = field(default_factory=dict)


class Board:
    """Takes insights in and shows the newest of everything; it is drawn in another thread than the one that reads.

    `name_of(job_id)` says what a person calls a job; `connected()` whether news can come right now.
    """

    def __init__(self, name_of: Callable[[str], str], connected: Callable[[], bool], *, one_job: bool) -> None:
        self._name_of = name_of
        self._connected = connected
        self._one_job = one_job
        self._lock = Lock()
        self._heard = False
        self._jobs: dict[str, _Seen] = {}
        self._usage: Usage | None = None
        self._gap: Gap | None = None

    def take(self, insight: Insight) -> None:
        """Take in an insight."""
        job_id = insight.job_id
        name = "" if job_id is None or job_id in self._jobs else self._name_of(job_id)  # asks the server: not under the lock
        with self._lock:
            self._heard = True
            if isinstance(insight, Usage):
                self._usage = insight
            elif isinstance(insight, Gap):
                self._gap = insight
            elif job_id is not None:
                _note(self._jobs.setdefault(job_id, _Seen(name)), insight)

    def __rich__(self) -> RenderableType:
        with self._lock:
            shown = [part for job_id, seen in self._shown() for part in (_headline(job_id, seen), *self._details(seen))]
            if not self._heard:
                return Text("Connecting …", style="dim")
            if not shown:
                shown = [Text("No job is running.", style="dim")]
            if self._usage is not None:
                shown.append(Text(usage(self._usage), style="dim"))
            if self._gap is not None:
                shown.append(Text(f"{self._gap.count} facts were missed ({self._gap.reason}).", style="yellow"))
        if not self._connected():
            shown.append(Text("There is no connection; trying again …", style="yellow"))
        return Group(*shown)

    def _shown(self) -> list[tuple[str, _Seen]]:
        return [
            (job_id, seen) for job_id, seen in self._jobs.items() if self._one_job or not (seen.status and seen.status.ended)
        ]

    def _details(self, seen: _Seen) -> list[RenderableType]:
        if not self._one_job:
            return []
        parts: list[RenderableType] = []
        if seen.metrics is not None or seen.devices:
            parts.append(_stages(seen))
        parts += [
            Text(plain(f"{told.stage} is {told.health.value}: {told.reason}"), style=STYLES[told.health.value])
            for told in seen.health.values()
            if told.health is not Health.OK
        ]
        newest = list(seen.warnings.values())[-_WARNINGS_SHOWN:]
        parts += [
            Text(plain(f"{f'{told.stage}: ' if told.stage else ''}{told.code} × {told.count}: {told.message}"), style="yellow")
            for told in newest
        ]
        return parts


def _note(seen: _Seen, insight: Insight) -> None:
    match insight:
        case Status():
            seen.status, seen.reason = insight.status, insight.reason
        case Progress():
            seen.progress = insight
        case Metrics():
            seen.metrics = insight
        case Device():
            seen.devices[insight.stage] = insight
        case HealthChange():
            seen.health[insight.stage] = insight
        case Warned():
            key = (insight.code, insight.stage)
            seen.warnings.pop(key, None)  # the newest stands last
            seen.warnings[key] = insight


def _headline(job_id: str, seen: _Seen) -> RenderableType:
    status = seen.status.value.replace("_", " ") if seen.status else "…"
    style = STYLES.get(seen.status.value if seen.status else "", "cyan")
    words = [Text.assemble((plain(seen.name), "bold"), f" ({job_id})"), Text(status, style=style)]
    if seen.reason:
        words.append(Text(plain(seen.reason)))
    if seen.progress is not None:
        words.append(Text(frames(seen.progress)))
    if seen.metrics is not None:
        latency = seen.metrics.latency_ms
        words.append(Text(f"{seen.metrics.fps:.1f} fps"))
        words.append(Text(f"p50 {latency.p50:.1f} ms, p95 {latency.p95:.1f} ms"))
        words.append(Text(f"workers {seen.metrics.workers}, segments waiting {seen.metrics.queue_depth}"))
    head = Text(" · ").join(words)
    if seen.progress is None or seen.progress.progress is None:
        return head
    filled = seen.progress.progress * _BAR // 100
    return Group(head, Text.assemble(("━" * filled, "green"), ("━" * (_BAR - filled), "dim")))


def _stages(seen: _Seen) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("stage", no_wrap=True)
    for name in ("fps", "p50 ms", "p95 ms", "budget", "over", "failed"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("health", no_wrap=True)
    table.add_column("device")
    metrics = {stage.stage: stage for stage in seen.metrics.stages} if seen.metrics else {}
    for name in dict.fromkeys((*metrics, *seen.devices)):
        stage, device = metrics.get(name), seen.devices.get(name)
        numbers = [""] * 6
        if stage is not None:
            budget = "" if stage.budget_ms is None else f"{stage.budget_ms:g}"
            numbers = [f"{stage.fps:.1f}", f"{stage.p50_ms:.1f}", f"{stage.p95_ms:.1f}", budget]
            numbers += [str(stage.over_budget), str(stage.soft_failures)]
        health = Text(stage.health.value, style=STYLES[stage.health.value]) if stage else Text()
        table.add_row(name, *numbers, health, _device(device))
    return table


def _device(device: Device | None) -> Text:
    if device is None:
        return Text()
    used = device.used.value if device.used else "nothing"
    return Text(f"{used} (asked for {device.requested})", style="yellow") if device.fallback else Text(used)
