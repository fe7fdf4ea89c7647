"""Stored frames of a job, drawn for its page: what playback shows, some frames at a time."""

from typing import Final

import msgspec
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from app.domain.errors import UnknownFilter
from app.store import jobs
from app.web.pages.job_view import overlay_of_frame
from app.web.parts import Parts, parts_of
from app.web.render import frame_on_job
from app.web.responses import FRESH, read_query, whole_number
from app.web.stored_rows import FrameRow, lines_of, read_row

MOST_FRAMES: Final = 120  # asked for at once


class DrawnFrame(msgspec.Struct):
    """A frame with its picture's address and the partials that show it."""

    index: int
    picture: str
    html: str


async def show_overlays(request: Request) -> Response:
    """GET /jobs/{id}/overlays?start=&end=: frames `[start, end)` as partials; one that was not done shows no marks."""
    query = read_query(request, ("start", "end"))
    start = whole_number(query, "start") or 0
    end = whole_number(query, "end")
    end = start + 1 if end is None else end
    if not start < end <= start + MOST_FRAMES:
        raise UnknownFilter(what="value of end", actual=end, known=f"whole numbers from {start + 1} to {start + MOST_FRAMES}")
    frames = await run_sync(_drawn, parts_of(request), request.path_params["job_id"], start, end)
    return Response(msgspec.json.encode({"frames": frames}), headers=FRESH, media_type="application/json")


def _drawn(parts: Parts, job_id: str, start: int, end: int) -> list[DrawnFrame]:
    with parts.store.read() as tx:
        job = jobs.get(tx, job_id)
    known = min(end, job.frames_total if job.frames_total is not None else end)
    try:
        stored = {row.frame_index: row for row in map(read_row, lines_of(parts, job, start, known))}
    except FileNotFoundError:  # deleted between the look at the database and this one
        stored = {}
    stages, frames = job.pipeline.ids, []
    for index in range(start, known):
        row = stored.get(index) or FrameRow(index)
        overlay = overlay_of_frame(parts, job, row, stages)
        html = frame_on_job(overlay, index, {stage: row.outputs.get(stage) for stage in stages})
        frames.append(DrawnFrame(index, overlay.image_url, str(html)))
    return frames
