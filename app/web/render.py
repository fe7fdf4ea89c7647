"""The feed as pages read it: each insight turned into HTML partials, once for every kind of page."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol

from markupsafe import Markup

from app.domain.insight import (
    FACT_TYPES,
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
from app.domain.load import StageMetrics
from app.domain.output import Output
from app.insights.trend import Trends
from app.web.contexts.breakdown import warning_of
from app.web.contexts.curve import latencies_of_stage
from app.web.contexts.fact_log import view_fact
from app.web.contexts.found import found_of
from app.web.contexts.job import status_of, view_actions
from app.web.contexts.latency import latency_of
from app.web.contexts.machine import usage_of
from app.web.contexts.numbers import metric_numbers
from app.web.contexts.overlay import OverlayView, overlay_of
from app.web.contexts.progress import progress_of
from app.web.contexts.speed import speed_of
from app.web.contexts.stage import decision_of, health_of
from app.web.contexts.words import slug
from app.web.templating import render

Draw = Callable[..., Markup]


class Channels(Protocol):
    """What takes the encodings of pages, and knows how jobs have gone: the hub."""

    @property
    def trends(self) -> Trends:
        """The metrics of the last moments of each job."""

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


def _metrics_on_job(insight: Metrics, trend: Sequence[Metrics] = ()) -> Markup:
    numbers = fragment("job_metrics", numbers=metric_numbers(insight, trend))
    return partial_of("job-metrics", numbers) + Markup().join(_speed_of_stage(stage, trend) for stage in insight.stages)


def _speed_of_stage(stage: StageMetrics, trend: Sequence[Metrics]) -> Markup:
    key, curve = slug(stage.stage), latencies_of_stage(trend, stage.stage, stage.budget_ms)
    speed = fragment("stage_speed", speed=speed_of(stage, curve), key=key)
    latency = fragment("stage_latency", latency=latency_of(stage), key=key)
    return partial_of(f"speed-{key}", speed) + partial_of(f"latency-{key}", latency)


def _fact_on_job(insight: Insight) -> Markup:
    """Add a line to the log, above all that is older."""
    return partial_of("fact-rows", fragment("job_fact", fact=view_fact(insight)), "upsert sort:desc")


def _overlay_on_job(insight: Overlay) -> Markup:
    return frame_on_job(overlay_of(insight), insight.frame_index, insight.outputs)


def frame_on_job(overlay: OverlayView, frame_index: int, outputs: Mapping[str, Output | None]) -> Markup:
    """Show a frame on a job's page, and for each of these stages what it found (None: nothing is known)."""
    founds = {stage: output and found_of(stage, frame_index, output) for stage, output in outputs.items()}
    panels = Markup().join(
        partial_of(f"found-{slug(stage)}", fragment("stage_found", found=found, key=slug(stage)))
        for stage, found in founds.items()
    )
    return partial_of("overlay-stream", fragment("job_overlay", overlay=overlay), "innerMorph") + panels


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


def encode(kind: str, insight: Insight, _fact_id: int | None = None, *, trends: Trends | None = None) -> bytes | None:
    """Give the HTML of an insight for a kind of page, None where that page does not show it.

    `trends` holds the metrics before, for curves.
    """
    draw = ENCODERS[kind].get(insight.type)
    if draw is None:
        return None
    if isinstance(insight, Metrics) and trends is not None:
        return str(draw(insight, trends.of(insight.job_id))).encode()
    html = draw(insight)
    return str(html + _fact_on_job(insight) if kind == "job" and insight.type in FACT_TYPES else html).encode()


def register_channels(hub: Channels) -> None:
    """Register the encoding of each kind of page; its channel is named `html:<kind>`."""
    for kind, draws in ENCODERS.items():
        hub.channel(f"html:{kind}", partial(encode, kind, trends=hub.trends), types=frozenset(draws))
