"""Reads everything a job's page shows, in one look at the database and one at the outputs of the frame it shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from app.domain.device import DeviceDecision
from app.domain.errors import BrokenPlugin, UnknownPlugin
from app.domain.geometry import Size
from app.domain.health import Health
from app.domain.job import Job, StageBreakdown
from app.domain.media import SourceKind
from app.domain.output import Output
from app.domain.pipeline import Stage
from app.store import breakdowns, jobs, segments, warnings
from app.web.assets import static_url
from app.web.contexts.breakdown import view_breakdown, view_warning
from app.web.contexts.found import found_of
from app.web.contexts.job import view_job
from app.web.contexts.machine import view_usage
from app.web.contexts.overlay import OverlayView, view_overlay
from app.web.contexts.stage import DecisionView, HealthView, PanelView, unknown_health, view_decision, view_health, view_panel
from app.web.contexts.words import slug
from app.web.parts import Parts

_POSTER: Final = Size(640, 360)


class FrameRow(msgspec.Struct):
    """The part of a frame's stored row that a page draws."""

    frame_index: int
    t_s: float | None = None
    outputs: dict[str, Output] = {}


@dataclass(frozen=True, slots=True)
class FrameSteps:
    """Where one can go from the frame shown."""

    shown: int
    last: int
    before: int | None
    after: int | None


def read_job(parts: Parts, job_id: str, frame: int | None) -> dict[str, Any]:
    """Read the page of a job; raise UnknownJob. `frame` None shows the newest frame that is done."""
    with parts.store.read() as tx:
        job = jobs.get(tx, job_id)
        rows = breakdowns.of_job(tx, job_id)
        noted = warnings.of_job(tx, job_id)
        decided = breakdowns.decisions(tx, job_id)
        position = jobs.queue_position(tx, job_id)
        last = max(0, min(job.frames_done, job.frames_total or job.frames_done) - 1)
        shown = last if frame is None else min(frame, max(last, (job.frames_total or 1) - 1))
        files = _files(tx, job_id, shown)
    row = _read_row(parts, job_id, files, shown)
    by_stage = {row.stage: row for row in rows}
    stages = job.pipeline.ids
    return {
        "feed": None if job.status.ended else f"/live?page=job&job={job_id}",
        "job": view_job(job, queue_position=position),
        "overlay": _overlay(job, row, stages),
        "frames": _steps(job, shown),
        "panels": [_panel(parts, stage, stages, by_stage.get(stage.id), row) for stage in job.pipeline.stages],
        "healths": [_health(stage, by_stage.get(stage.id)) for stage in job.pipeline.stages],
        "decisions": _decisions(job, decided),
        "usage": view_usage(parts.workers()),
        "warnings": [view_warning(warning) for warning in noted],
        "breakdown": view_breakdown(rows, stages),
    }


def _files(tx: Connection, job_id: str, frame: int) -> list[tuple[str, int, int]]:
    found = segments.committed(tx, job_id, frame, frame + 1)
    return [(segment.outputs_file, segment.start, segment.end) for segment in found if segment.outputs_file]


def _read_row(parts: Parts, job_id: str, files: Sequence[tuple[str, int, int]], frame: int) -> FrameRow:
    """Read what was found on a frame; empty where it was not done, or its file is gone."""
    try:
        line = next(iter(parts.storage.read_rows(job_id, files, frame, frame + 1)), None)
    except FileNotFoundError:  # deleted between the look at the database and this one
        line = None
    return msgspec.json.decode(line, type=FrameRow) if line else FrameRow(frame)


def _overlay(job: Job, row: FrameRow, stages: Sequence[str]) -> OverlayView:
    media = job.media
    if media is None or job.source.kind is SourceKind.STREAM:
        return view_overlay(static_url("img/poster.svg"), _POSTER, row.frame_index, None, {}, stages=stages)
    address = f"/v1/jobs/{job.id}/frames/{row.frame_index}.jpg"
    return view_overlay(address, Size(media.width, media.height), row.frame_index, row.t_s, row.outputs, stages=stages)


def _steps(job: Job, shown: int) -> FrameSteps | None:
    if not job.status.ended or job.frames_done < 2:
        return None
    last = (job.frames_total or job.frames_done) - 1
    return FrameSteps(shown, last, shown - 1 if shown > 0 else None, shown + 1 if shown < last else None)


def _panel(parts: Parts, stage: Stage, stages: Sequence[str], row: StageBreakdown | None, frame: FrameRow) -> PanelView:
    output = frame.outputs.get(stage.id)
    found = found_of(stage.id, frame.frame_index, output) if output is not None else None
    return view_panel(stage, stages, row, found, row.budget_ms if row and row.budget_ms else _budget(parts, stage.plugin))


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
