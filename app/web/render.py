"""The feed as pages read it: each insight turned into HTML partials, once for every kind of page."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Final, Protocol

from markupsafe import Markup

from app.domain.insight import (
    Device,
    HealthChange,
    Insight,
    Metrics,
    Overlay,
    Progress,
    Status,
    Usage,
    Warned,
)
from app.web.contexts.breakdown import warning_of
from app.web.contexts.found import found_of
from app.web.contexts.job import progress_of, status_of, view_actions
from app.web.contexts.machine import usage_of
from app.web.contexts.overlay import overlay_of
from app.web.contexts.stage import decision_of, health_of, speed_of
from app.web.contexts.words import milliseconds, number, plural, slug
from app.web.templating import render

Draw = Callable[[Any], Markup]


class Channels(Protocol):
    """What takes the encodings of pages: the hub."""

    def channel(
        self, name: str, encode: Callable[[Insight, int | None], bytes | None], *, types: Collection[str] | None = None
    ) -> None:
        """Add an encoding under a name, for some types of insights."""


def fragment(name: str, **context: Any) -> Markup:
    """Render `fragments/<name>.html`."""
    return render(f"fragments/{name}.html", context)


def partial_of(target: str, html: Markup, swap: str = "outerMorph") -> Markup:
    """Wrap HTML that goes to the element with the id `target`; a page without such an element leaves it out."""
    return Markup('<hx-partial hx-target="#{}" hx-swap="{}">{}</hx-partial>').format(target, swap, html)


def _status_on_job(insight: Status) -> Markup:
    status = status_of(insight)
    told = Markup() if insight.snapshot else partial_of("milestone", Markup("{}").format(status.sign.word), "innerHTML")
    actions = view_actions(insight.job_id, insight.status)
    return (
        partial_of("job-status", fragment("job_status", status=status))
        + partial_of("job-actions", fragment("job_actions", actions=actions))
        + told
    )


def _progress_on_job(insight: Progress) -> Markup:
    return partial_of("job-progress", fragment("job_progress", progress=progress_of(insight)))


def _metrics_on_job(insight: Metrics) -> Markup:
    speeds = [speed_of(stage) for stage in insight.stages]
    panels = Markup().join(
        partial_of(f"speed-{slug(speed.stage)}", fragment("stage_speed", speed=speed, key=slug(speed.stage)))
        for speed in speeds
    )
    return partial_of("job-metrics", fragment("job_metrics", numbers=metric_numbers(insight))) + panels


def metric_numbers(insight: Metrics) -> tuple[tuple[str, str], ...]:
    """Name a job's live numbers."""
    return (
        ("Speed", f"{number(round(insight.fps, 1))} fps"),
        ("Frame, p50", milliseconds(insight.latency_ms.p50)),
        ("Frame, p95", milliseconds(insight.latency_ms.p95)),
        ("Working", plural(insight.workers, "worker")),
        ("Waiting", plural(insight.queue_depth, "segment")),
    )


def _overlay_on_job(insight: Overlay) -> Markup:
    found = Markup().join(
        partial_of(f"found-{slug(stage)}", fragment("stage_found", found=found_of(stage, insight.frame_index, output),
                                                    key=slug(stage)))
        for stage, output in insight.outputs.items()
    )  # fmt: skip
    return partial_of("overlay-stream", fragment("job_overlay", overlay=overlay_of(insight)), "innerMorph") + found


def _device_on_job(insight: Device) -> Markup:
    key = slug(insight.stage)
    return partial_of(f"decision-{key}", fragment("stage_decision", decision=decision_of(insight), key=key))


def _health_on_job(insight: HealthChange) -> Markup:
    key = slug(insight.stage)
    return partial_of(f"health-{key}", fragment("stage_health", health=health_of(insight), key=key))


def _warning_on_job(insight: Warned) -> Markup:
    return partial_of("warning-rows", fragment("job_warning", warning=warning_of(insight)), "upsert")


def _usage(insight: Usage) -> Markup:
    return partial_of("device-usage", fragment("device_usage", usage=usage_of(insight)))


def _status_in_list(insight: Status, *, refresh: bool) -> Markup:
    key = slug(insight.job_id)
    shown = partial_of(f"status-{key}", fragment("job_list_status", status=status_of(insight), key=key))
    if refresh and not insight.snapshot:
        shown += partial_of("job-list-refresh", fragment("job_list_refresh"), "outerHTML")
    return shown


def _progress_in_list(insight: Progress) -> Markup:
    key = slug(insight.job_id)
    return partial_of(f"progress-{key}", fragment("job_list_progress", progress=progress_of(insight), key=key))


ENCODERS: Final[dict[str, dict[str, Draw]]] = {
    "home": {"status": partial(_status_in_list, refresh=True), "progress": _progress_in_list},
    "jobs": {"status": partial(_status_in_list, refresh=False), "progress": _progress_in_list},
    "job": {
        "status": _status_on_job,
        "progress": _progress_on_job,
        "metrics": _metrics_on_job,
        "overlay": _overlay_on_job,
        "device": _device_on_job,
        "health": _health_on_job,
        "warning": _warning_on_job,
        "usage": _usage,
    },
    "devices": {"usage": _usage},
}
PAGE_KINDS: Final = frozenset(ENCODERS)


def encode(kind: str, insight: Insight, _fact_id: int | None = None) -> bytes | None:
    """Give the HTML of an insight for a kind of page, None where that page does not show it."""
    draw = ENCODERS[kind].get(insight.type)
    return str(draw(insight)).encode() if draw else None


def register_channels(hub: Channels) -> None:
    """Register the encoding of each kind of page; its channel is named `html:<kind>`."""
    for kind, draws in ENCODERS.items():
        hub.channel(f"html:{kind}", partial(encode, kind), types=frozenset(draws))
