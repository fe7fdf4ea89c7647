"""What a job gave: rows, result, facts and log, streamed so that memory stays flat."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.domain.errors import UnknownFilter
from app.domain.insight import Insight
from app.domain.job import Job
from app.store import breakdowns, facts, jobs, segments
from app.web.blocks import BLOCK_BYTES, blocks_of
from app.web.parts import Parts, parts_of
from app.web.responses import FRESH, read_query, whole_number
from app.web.schemas import DeviceUse
from app.web.stored_rows import lines_of

_MOST_FACTS: Final = 1000


async def list_frames(request: Request) -> Response:
    """GET /v1/jobs/{id}/frames: the committed rows of frames `[start, end)`, one JSON object to a line."""
    query = read_query(request, ("start", "end"))
    start, end = whole_number(query, "start") or 0, whole_number(query, "end")
    if end is not None and end < start:
        raise UnknownFilter(what="value of end", actual=end, known=f"whole numbers from start ({start}) on")
    parts = parts_of(request)
    job = await run_sync(_job, parts, request.path_params["id"])
    rows = blocks_of(line + b"\n" for line in lines_of(parts, job, start, end))
    return StreamingResponse(rows, headers=FRESH, media_type="application/x-ndjson")


async def show_result(request: Request) -> Response:
    """GET /v1/jobs/{id}/result: one JSON object with every row and each stage's summary."""
    read_query(request, ())
    parts = parts_of(request)
    job = await run_sync(_job, parts, request.path_params["id"])
    head, tail = await run_sync(_frame_of_result, parts, job)
    return StreamingResponse(blocks_of(_result(parts, job, head, tail)), headers=FRESH, media_type="application/json")


async def list_facts(request: Request) -> Response:
    """GET /v1/jobs/{id}/facts: in the order of their numbers, as the feed tells them, each with its id and type."""
    query = read_query(request, ("limit", "cursor"))
    limit = whole_number(query, "limit", least=1, most=_MOST_FACTS) or _MOST_FACTS
    after = whole_number(query, "cursor") or 0
    body = await run_sync(_facts, parts_of(request), request.path_params["id"], after, limit)
    return Response(body, headers=FRESH, media_type="application/json")


async def show_log(request: Request) -> Response:
    """GET /v1/jobs/{id}/log: what plugins printed, as plain text."""
    read_query(request, ())
    parts = parts_of(request)
    job = await run_sync(_job, parts, request.path_params["id"])
    lines = _file(parts.storage.outputs_folder(job.id) / "log.txt")
    return StreamingResponse(lines, headers=FRESH, media_type="text/plain; charset=utf-8")


def _job(parts: Parts, job_id: str) -> Job:
    with parts.store.read() as tx:
        return jobs.get(tx, job_id)


def _frame_of_result(parts: Parts, job: Job) -> tuple[bytes, bytes]:
    with parts.store.read() as tx:
        use = DeviceUse.of(breakdowns.decisions(tx, job.id))
        summaries = {row.stage: row.summary for row in breakdowns.of_job(tx, job.id)}
        whole = job.status.succeeded and segments.count_open(tx, job.id) == 0
    head = {
        "job_id": job.id,
        "complete": whole,
        "device_requested": job.device_requested,
        "device_used": use.device_used,
        "fallback": use.fallback,
    }
    result = {stage: summaries.get(stage) for stage in job.pipeline.ids}
    return msgspec.json.encode(head)[:-1] + b',"frames":[', b'],"result":' + msgspec.json.encode(result) + b"}"


def _result(parts: Parts, job: Job, head: bytes, tail: bytes) -> Iterator[bytes]:
    yield head
    comma = b""
    for line in lines_of(parts, job):
        yield comma + line
        comma = b","
    yield tail


def _facts(parts: Parts, job_id: str, after: int, limit: int) -> bytes:
    with parts.store.read() as tx:
        jobs.get(tx, job_id)
        found = facts.after(tx, after, job_id=job_id, limit=limit + 1)
    cursor = str(found[limit - 1][0]) if len(found) > limit else None
    items = [_fact(number, insight) for number, insight in found[:limit]]
    return msgspec.json.encode({"items": items, "next_cursor": cursor})


def _fact(number: int, insight: Insight) -> dict[str, object]:
    return {"id": number, "type": insight.type, **msgspec.to_builtins(insight)}


def _file(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from iter(partial(file.read, BLOCK_BYTES), b"")
    except FileNotFoundError:
        return
