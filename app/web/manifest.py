"""The run manifest: what it takes to say how a job's numbers came about, or to make them again."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.domain.errors import BrokenPlugin, UnknownPlugin
from app.domain.job import Job, StageBreakdown
from app.domain.pipeline import Stage
from app.domain.plugin import OptionType
from app.store import breakdowns
from app.web.parts import Parts
from app.web.schemas import JobDocument, job_document


def run_manifest(parts: Parts, job: Job) -> dict[str, Any]:
    """Give source, software, device decisions, and for each stage its plugin's version, options and model files.

    A model's hash is that of its file as it lies here now; null where it is gone. Blocks: call it in a thread.
    """
    with parts.store.read() as tx:
        document = job_document(tx, job)
        rows = {row.stage: row for row in breakdowns.of_job(tx, job.id)}
    stages = [_stage(parts, stage, rows.get(stage.id), document) for stage in job.pipeline.stages]
    return {
        "job_id": job.id,
        "name": job.name,
        "tags": list(job.tags),
        "status": job.status.value,
        "created_at": document.created_at.isoformat(),
        "started_at": document.started_at.isoformat() if document.started_at else None,
        "finished_at": document.finished_at.isoformat() if document.finished_at else None,
        "software": dict(job.versions),
        "source": document.source.model_dump(mode="json"),
        "frames_done": job.frames_done,
        "frames_total": job.frames_total,
        "loop": job.loop,
        "device_requested": job.device_requested,
        "strict_device": job.strict_device,
        "device_used": document.device_used,
        "stages": stages,
        "warnings": [warning.model_dump(mode="json") for warning in document.warnings],
    }


def _stage(parts: Parts, stage: Stage, row: StageBreakdown | None, document: JobDocument) -> dict[str, Any]:
    told = next((told for told in document.breakdown if told.stage == stage.id), None)
    return {
        "id": stage.id,
        "plugin": stage.plugin,
        "version": row.version if row else None,
        "options": dict(stage.options),
        "needs": list(stage.needs),
        "every": stage.every,
        "device": told.device.model_dump(mode="json") if told and told.device else None,
        "models": _models(parts, stage),
    }


def _models(parts: Parts, stage: Stage) -> list[Mapping[str, Any]]:
    try:
        metadata, folder = parts.catalogue.get(stage.plugin), parts.catalogue.folder(stage.plugin)
    except (UnknownPlugin, BrokenPlugin):
        return []  # the plugin was removed since; the job still has its manifest
    names = [option.name for option in metadata.options if option.type is OptionType.MODEL]
    placed = parts.catalogue.models.placed(metadata, folder, stage.options)
    chosen = [(name, Path(placed[name])) for name in names if placed.get(name)]
    brought = [(None, path) for path in sorted(folder.glob("*.onnx")) if path not in {path for _, path in chosen}]
    return [{"option": name, "file": path.name, "sha256": _sha256(path)} for name, path in (*chosen, *brought)]


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
