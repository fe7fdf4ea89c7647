"""Insights as lines of text: one for a person, or one of JSON for a program."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from app.domain.insight import (
    Close,
    Device,
    Gap,
    HealthChange,
    Hello,
    Insight,
    Metrics,
    Overlay,
    Progress,
    Status,
    Usage,
    Warned,
)
from app.domain.load import GpuUsage

_ENCODER: Final = msgspec.json.Encoder()


def json_line(insight: Insight, fact_id: int | None) -> bytes:
    """Give an insight as one line of JSON: its type, its number (null where it has none), and its fields."""
    fields = msgspec.to_builtins(insight)
    return _ENCODER.encode({"type": insight.type, "id": fact_id, **fields}) + b"\n"


def plain(text: str) -> str:
    """Give text of others fit for a terminal: on one line, and with nothing in it that a terminal would obey."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def line(insight: Insight) -> str:
    """Give an insight as a line for a person: when, which job, what."""
    when = insight.at.astimezone().strftime("%H:%M:%S")
    words = " ".join(part for part in (when, insight.job_id or "", insight.type, _said(insight)) if part)
    return plain(words)


def _said(insight: Insight) -> str:
    return _WORDS[type(insight)](insight)


def frames(told: Progress) -> str:
    """Say how far a job is."""
    known = f" of {told.frames_total}" if told.frames_total is not None else ""
    share = f"{told.progress} %, " if told.progress is not None else ""
    return f"{share}{told.frames_done}{known} frames"


def usage(load: Usage) -> str:
    """Say how busy the machine is."""
    busy = sum(worker.state == "busy" for worker in load.workers)
    workers = f"{busy} of {len(load.workers)} workers busy"
    return "; ".join([f"CPU {load.cpu_percent:.0f} %, {load.memory_mb:.0f} MB, {workers}", *map(_gpu, load.gpus)])


def _gpu(gpu: GpuUsage) -> str:
    busy = "load not told" if gpu.utilisation_percent is None else f"{gpu.utilisation_percent:.0f} %"
    if gpu.memory_used_mb is None or gpu.memory_total_mb is None:
        return f"{gpu.name} {busy}, memory not told"
    return f"{gpu.name} {busy}, {gpu.memory_used_mb:.0f} of {gpu.memory_total_mb:.0f} MB"


def _seconds(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}" if whole >= 3600 else f"{whole // 60}:{whole % 60:02}"


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""


def _status(told: Status) -> str:
    came = f" (was {told.previous.value})" if told.previous else ""
    return f"{told.status.value}{came}{_because(told.reason)}"


def _device(told: Device) -> str:
    runs = f"runs on {told.used.value}" if told.used else "does not run"
    return f"{told.stage} {runs} (asked for {told.requested}): {told.reason}"


def _health(told: HealthChange) -> str:
    return f"{told.stage} is {told.health.value}{_because(told.reason)}"


def _warning(told: Warned) -> str:
    return f"{told.code} × {told.count}{f' in {told.stage}' if told.stage else ''}: {told.message}"


def _progress(told: Progress) -> str:
    return frames(told) if told.eta_s is None else f"{frames(told)}, {_seconds(told.eta_s)} left"


def _metrics(told: Metrics) -> str:
    slow = [stage.stage for stage in told.stages if stage.budget_ms is not None and stage.p95_ms > stage.budget_ms]
    over = f", over budget: {', '.join(slow)}" if slow else ""
    return f"{told.fps:.1f} fps, p50 {told.latency_ms.p50:.1f} ms, p95 {told.latency_ms.p95:.1f} ms{over}"


def _overlay(told: Overlay) -> str:
    return f"frame {told.frame_index}: {', '.join(told.outputs)}"


def _gap(told: Gap) -> str:
    return f"facts {told.from_} to {told.to} are missing ({told.count}, {told.reason})"


def _hello(told: Hello) -> str:
    return f"connected, {told.head} facts so far"


def _close(told: Close) -> str:
    return told.reason


_WORDS: Final[dict[type[Insight], Callable[[Any], str]]] = {
    Status: _status, Device: _device, HealthChange: _health, Warned: _warning, Progress: _progress, Metrics: _metrics,
    Overlay: _overlay, Usage: usage, Hello: _hello, Gap: _gap, Close: _close,
}  # fmt: skip
