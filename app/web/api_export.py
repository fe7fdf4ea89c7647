"""Downloads of what a job gave: JSON Lines, CSV, COCO, and the run manifest that says how it came about."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import msgspec
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.domain.errors import UnknownFilter
from app.domain.job import Job
from app.store import jobs
from app.web.blocks import blocks_of
from app.web.exports import coco, json_lines, table
from app.web.manifest import run_manifest
from app.web.parts import Parts, parts_of
from app.web.responses import FRESH, read_query

FORMATS: Final = {
    "ndjson": ("frames.ndjson", "application/x-ndjson"),
    "csv": ("findings.csv", "text/csv; charset=utf-8"),
    "coco": ("coco.json", "application/json"),
    "manifest": ("manifest.json", "application/json"),
}


async def export_job(request: Request) -> Response:
    """GET /v1/jobs/{id}/export?format=: as a file to keep; raises UnknownJob, UnknownFilter."""
    query = read_query(request, ("format",))
    wanted = query.get("format", "ndjson")
    if wanted not in FORMATS:
        raise UnknownFilter(what="format", actual=wanted, known=", ".join(FORMATS))
    parts = parts_of(request)
    job = await run_sync(_job, parts, request.path_params["id"])
    name, media_type = FORMATS[wanted]
    headers = {**FRESH, "Content-Disposition": f'attachment; filename="{job.id}-{name}"'}
    if wanted == "manifest":
        body = await run_sync(_manifest, parts, job)
        return Response(msgspec.json.format(msgspec.json.encode(body)), headers=headers, media_type=media_type)
    rows = await run_sync(partial(_rows, parts, job, wanted))
    return StreamingResponse(blocks_of(rows), headers=headers, media_type=media_type)


def _job(parts: Parts, job_id: str) -> Job:
    with parts.store.read() as tx:
        return jobs.get(tx, job_id)


def _manifest(parts: Parts, job: Job) -> dict[str, Any]:
    return run_manifest(parts, job)


def _rows(parts: Parts, job: Job, wanted: str) -> Iterator[bytes]:
    if wanted == "coco":
        manifest = run_manifest(parts, job)
        info = {"description": f"What Sightline found in {job.source.name}", "date_created": manifest["created_at"]}
        return coco(parts, job, {**info, "sightline": manifest})
    ways: dict[str, Callable[[Parts, Job], Iterator[bytes]]] = {"ndjson": json_lines, "csv": table}
    return ways[wanted](parts, job)
