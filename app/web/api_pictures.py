"""Pictures of a job's frames: from the cache, else decoded on demand in a child process."""

from typing import Final

import anyio
import msgspec
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from app.domain.errors import EmptyMedia, FrameGone, NotReady, UnknownFrame, UnreadableMedia, UnsupportedSource
from app.domain.job import Job, Segment
from app.domain.media import SourceKind
from app.media.preview import render_frames
from app.store import jobs, segments
from app.web.parts import Parts, parts_of
from app.web.responses import read_query

RENDERED_AT_ONCE: Final = 2
_MOST_WAITING: Final = 64
_AT_ONCE: Final = 16  # frames decoded together, for who asks for one mostly asks for the next
WIDTH: Final = 640  # that of the previews workers send, so that a picture looks the same wherever it comes from


async def show_frame(request: Request) -> Response:
    """GET /v1/jobs/{id}/frames/{index}.jpg; raises UnknownJob, UnknownFrame, FrameGone, NotReady."""
    read_query(request, ())
    parts, index = parts_of(request), request.path_params["index"]
    job = await run_sync(_job, parts, request.path_params["id"])
    _refuse_strange(job, index)
    tag = f'W/"{job.id}-{index}"'  # weak: the same picture of the same frame, whoever encoded it
    headers = {"ETag": tag, "Cache-Control": _keep_for(job)}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    jpeg = parts.previews.get(job.id, index) or await _render(request, parts, job, index)
    return Response(jpeg, headers=headers, media_type="image/jpeg")


def _job(parts: Parts, job_id: str) -> Job:
    with parts.store.read() as tx:
        return jobs.get(tx, job_id)


def _segment(parts: Parts, job: Job, index: int) -> Segment:
    with parts.store.read() as tx:
        segment = segments.with_frame(tx, job.id, index)
    if segment is None:
        raise UnknownFrame(job_id=job.id, frame_index=index, reason="no segment of it holds one")
    return segment


def _refuse_strange(job: Job, index: int) -> None:
    if job.frames_total is not None and index >= job.frames_total:
        raise UnknownFrame(job_id=job.id, frame_index=index, reason=f"it has {job.frames_total}, counted from 0")


def _keep_for(job: Job) -> str:
    return "private, max-age=31536000, immutable" if job.status.ended else "private, max-age=60"


async def _render(request: Request, parts: Parts, job: Job, index: int) -> bytes:
    plan = job.plan
    if plan is None or job.source.kind is SourceKind.STREAM:
        raise FrameGone(job_id=job.id, frame_index=index)
    async with picture_turn(request):
        cached = parts.previews.get(job.id, index)
        if cached:
            return cached
        segment = await run_sync(_segment, parts, job, index)
        only = msgspec.structs.replace(plan, segments=(segment.planned,))
        shift = segment.start - segment.planned.start
        try:
            jpegs = await render_frames(job.source, only, index - shift, _AT_ONCE, width=WIDTH)
        except (UnreadableMedia, EmptyMedia, UnsupportedSource) as lost:
            raise UnknownFrame(job_id=job.id, frame_index=index, reason=str(lost)) from None
    for planned, jpeg in jpegs.items():
        parts.previews.put(job.id, planned + shift, jpeg)
    return jpegs[index - shift]


def picture_turn(request: Request) -> anyio.CapacityLimiter:
    """Give what to enter before a picture is decoded, so that few are at once; raises NotReady where too many wait."""
    state = request.app.state
    if not hasattr(state, "picture_turns"):
        state.picture_turns = anyio.CapacityLimiter(RENDERED_AT_ONCE)
    turns: anyio.CapacityLimiter = state.picture_turns
    if turns.statistics().tasks_waiting >= _MOST_WAITING:
        raise NotReady.because("too many pictures are asked for at once")
    return turns
