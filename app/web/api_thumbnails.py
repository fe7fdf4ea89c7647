"""Small pictures of jobs for lists: made once from the middle of the source, then kept beside the job's outputs."""

from typing import Final

import msgspec
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from app.domain.errors import EmptyMedia, FrameGone, UnknownFrame, UnreadableMedia, UnsupportedSource
from app.domain.job import Job, Segment
from app.domain.media import SourceKind
from app.media.preview import render_frame
from app.store import jobs, segments
from app.web.api_pictures import picture_turn
from app.web.parts import Parts, parts_of
from app.web.responses import read_query

WIDTH: Final = 192  # twice as wide as it is shown, for dense screens
_FOR_GOOD: Final = {"Cache-Control": "private, max-age=31536000, immutable"}


async def show_thumbnail(request: Request) -> Response:
    """GET /v1/jobs/{id}/thumbnail.jpg: a frame from the middle; raises UnknownJob, UnknownFrame, FrameGone, NotReady."""
    read_query(request, ())
    parts = parts_of(request)
    job, segment = await run_sync(_look_up, parts, request.path_params["id"])
    jpeg = await run_sync(parts.storage.read_thumbnail, job.id)
    if jpeg is None:
        jpeg = await _render(request, parts, job, segment)
    return Response(jpeg, headers=_FOR_GOOD, media_type="image/jpeg")


def _look_up(parts: Parts, job_id: str) -> tuple[Job, Segment | None]:
    with parts.store.read() as tx:
        job = jobs.get(tx, job_id)
        return job, segments.with_frame(tx, job.id, (job.frames_total or 1) // 2)


async def _render(request: Request, parts: Parts, job: Job, segment: Segment | None) -> bytes:
    plan = job.plan
    if plan is None or segment is None or job.source.kind is SourceKind.STREAM:
        raise FrameGone(job_id=job.id, frame_index=0)
    async with picture_turn(request):
        kept = await run_sync(parts.storage.read_thumbnail, job.id)
        if kept is not None:
            return kept
        only = msgspec.structs.replace(plan, segments=(segment.planned,))
        try:
            jpeg = await render_frame(job.source, only, segment.planned.start, width=WIDTH)
        except (UnreadableMedia, EmptyMedia, UnsupportedSource) as lost:
            raise UnknownFrame(job_id=job.id, frame_index=segment.start, reason=str(lost)) from None
        await run_sync(parts.storage.keep_thumbnail, job.id, jpeg)
        return jpeg
