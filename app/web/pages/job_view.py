"""Reads everything a job's page shows, in one look at the database and one at the outputs of the frame it shows."""

from collections.abc import Sequence
from typing import Any, Final

from app.domain.device import DeviceDecision
from app.domain.errors import BrokenPlugin, UnknownPlugin
from app.domain.geometry import Size
from app.domain.health import Health
from app.domain.job import Job, StageBreakdown
from app.domain.media import SourceKind
from app.domain.pipeline import Stage
from app.store import breakdowns, facts, jobs, spans, warnings
from app.store.plugins import PluginRecord
from app.web.assets import static_url
from app.web.contexts.breakdown import view_breakdown, view_stack, view_warning
from app.web.contexts.fact_log import SHOWN_FACTS, view_facts
from app.web.contexts.found import found_of
from app.web.contexts.job import view_job
from app.web.contexts.latency import latency_of_row
from app.web.contexts.machine import view_usage
from app.web.contexts.numbers import numbers_of_job
from app.web.contexts.overlay import OverlayView, view_overlay
from app.web.contexts.playback import view_playback
from app.web.contexts.plugin import PluginView, view_plugin
from app.web.contexts.segment_map import view_segments
from app.web.contexts.stage import DecisionView, HealthView, PanelView, unknown_health, view_decision, view_health, view_panel
from app.web.contexts.words import slug
from app.web.feed_query import live_address
from app.web.moments import failed_frames, moments_of
from app.web.parts import Parts
from app.web.schemas import DeviceUse
from app.web.stored_rows import FrameRow, row_of

_POSTER: Final = Size(640, 360)


def read_job(parts: Parts, job_id: str, frame: int | None) -> dict[str, Any]:
    """Read the page of a job; raise UnknownJob. `frame` None shows the newest frame that is done, and new ones live."""
    with parts.store.read() as tx:
        head = facts.head(tx)
        job = jobs.get(tx, job_id)
        rows = breakdowns.of_job(tx, job_id)
        noted = warnings.of_job(tx, job_id)
        decided = breakdowns.decisions(tx, job_id)
        position = jobs.queue_position(tx, job_id)
        stretch = spans.of_job(tx, job_id)
        log = facts.newest(tx, job_id, SHOWN_FACTS)
        last = max(0, min(job.frames_done, job.frames_total or job.frames_done) - 1)
        shown = last if frame is None else min(frame, max(last, (job.frames_total or 1) - 1))
    row = row_of(parts, job, shown)
    moments = moments_of(parts, job, stretch)
    trend = parts.hub.trends.of(job_id)
    live = frame is None and not job.status.ended
    by_stage = {row.stage: row for row in rows}
    stages = job.pipeline.ids
    return {
        "feed": None if job.status.ended else live_address("job", head, job_id, without="" if live else "overlay"),
        "job": view_job(job, queue_position=position),
        "overlay": overlay_of_frame(parts, job, row, stages),
        "segments": view_segments(job.status, stretch, failed_frames(moments)),
        "playback": view_playback(job, shown, moments, noted, live=live),
        "numbers": numbers_of_job(job, stretch, trend),
        "panels": [_panel(parts, job, stage, by_stage.get(stage.id), row) for stage in job.pipeline.stages],
        "abouts": {
            plugin: about for plugin in dict.fromkeys(s.plugin for s in job.pipeline.stages) if (about := _about(parts, plugin))
        },
        "healths": [_health(stage, by_stage.get(stage.id)) for stage in job.pipeline.stages],
        "latencies": {stage: latency_of_row(by_stage.get(stage)) for stage in stages},
        "decisions": _decisions(job, decided),
        "device_used": DeviceUse.of(decided).device_used,
        "usage": view_usage(parts.workers()),
        "warnings": [view_warning(warning) for warning in noted],
        "breakdown": (times := view_breakdown(rows, stages)),
        "stack": view_stack(times),
        "log": view_facts(log),
    }


def overlay_of_frame(parts: Parts, job: Job, row: FrameRow, stages: Sequence[str]) -> OverlayView:
    """Give a frame's picture with what was found on it; of an address, whose pictures are not kept, over a blank one."""
    media, poster = job.media, static_url("img/poster.svg")
    if media is None:
        return view_overlay(poster, _POSTER, row.frame_index, None, {}, stages=stages)
    gone = job.source.kind is SourceKind.STREAM and parts.previews.get(job.id, row.frame_index) is None
    address = poster if gone else f"/v1/jobs/{job.id}/frames/{row.frame_index}.jpg"
    return view_overlay(address, Size(media.width, media.height), row.frame_index, row.t_s, row.outputs, stages=stages)


def _panel(parts: Parts, job: Job, stage: Stage, row: StageBreakdown | None, frame: FrameRow) -> PanelView:
    output = frame.outputs.get(stage.id)
    found = found_of(stage.id, frame.frame_index, output) if output is not None else None
    budget_ms = row.budget_ms if row and row.budget_ms else _budget(parts, stage.plugin)
    return view_panel(stage, job.pipeline.ids, row, found, budget_ms, live=not job.status.ended)


def _about(parts: Parts, plugin: str) -> PluginView | None:
    found = parts.catalogue.found.get(plugin)
    return view_plugin(found, PluginRecord(), parts.catalogue.models) if found and not found.broken else None


def _budget(parts: Parts, plugin: str) -> float | None:
    try:
        return parts.catalogue.get(plugin).latency_budget_ms
    except (UnknownPlugin, BrokenPlugin):
        return None  # the plugin was removed since; the job's page still opens


def _health(stage: Stage, row: StageBreakdown | None) -> HealthView:
    if row is None or (row.health is Health.OK and not row.frames and not row.soft_failures):
        return unknown_health(stage.id, stage.plugin)
    return view_health(stage.id, stage.plugin, row.health, row.health_reason)


def _decisions(job: Job, decided: Sequence[tuple[str, DeviceDecision]]) -> list[tuple[str, DecisionView]]:
    """Give each stage's newest decision under the stage's key; where workers decided differently, the older ones after it."""
    views = []
    for stage in job.pipeline.ids:
        made = [decision for of, decision in decided if of == stage][::-1]
        key = slug(stage)
        views.append((key, view_decision(stage, made[0] if made else None)))
        views += [(f"{key}-{number}", view_decision(stage, older)) for number, older in enumerate(made[1:], 2)]
    return views
