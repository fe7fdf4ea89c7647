"""A job's page: live while it runs, and the same facts from the database at any time; its buttons post to addresses here."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.actions.delete import delete
from app.domain.errors import UnknownFilter
from app.store import breakdowns, jobs, spans
from app.web.api_jobs import VERBS, Verb
from app.web.api_submit import run_again
from app.web.contexts.breakdown import view_breakdown, view_stack
from app.web.contexts.segment_map import view_segments
from app.web.moments import failed_frames, moments_of
from app.web.pages.job_view import read_job
from app.web.parts import Parts, parts_of
from app.web.render import fragment
from app.web.templating import page

__all__ = ["VERBS", "delete_job", "move_job", "repeat_job", "show_breakdown", "show_job", "show_segments"]
_MOST_DIGITS: Final = 12


async def show_job(request: Request) -> Response:
    """GET /jobs/{id}: with `?frame=` the picture and the findings of that frame."""
    wanted = request.query_params.get("frame")
    if wanted is not None and not (wanted.isascii() and wanted.isdigit() and len(wanted) <= _MOST_DIGITS):
        raise UnknownFilter(what="frame", actual=wanted, known="whole numbers from 0 on")
    frame = None if wanted is None else int(wanted)
    context = await run_sync(partial(read_job, parts_of(request), request.path_params["job_id"], frame))
    return page(request, "job", context)


async def show_breakdown(request: Request) -> Response:
    """GET /jobs/{id}/breakdown: the breakdown alone, as it stands now."""
    job_id = request.path_params["job_id"]
    return HTMLResponse(await run_sync(_breakdown, parts_of(request), job_id))


def _breakdown(parts: Parts, job_id: str) -> str:
    with parts.store.read() as tx:
        job = jobs.get(tx, job_id)
        rows = breakdowns.of_job(tx, job_id)
    told = view_breakdown(rows, job.pipeline.ids)
    return fragment("job_breakdown", rows=told, stack=view_stack(told), url=f"/jobs/{job_id}/breakdown")


async def show_segments(request: Request) -> Response:
    """GET /jobs/{id}/segments: the map of its segments alone, as it stands now."""
    return HTMLResponse(await run_sync(_segments, parts_of(request), request.path_params["job_id"]))


def _segments(parts: Parts, job_id: str) -> str:
    with parts.store.read() as tx:
        job = jobs.get(tx, job_id)
        stretch = spans.of_job(tx, job_id)
    failed = failed_frames(moments_of(parts, job, stretch))
    return fragment("job_segments", segments=view_segments(job.status, stretch, failed), url=f"/jobs/{job_id}/segments")


def move_job(verb: Verb) -> Callable[[Request], Awaitable[Response]]:
    """Make the endpoint of a button: it acts, and the browser goes back to the job's page."""

    async def endpoint(request: Request) -> Response:
        parts, job_id = parts_of(request), request.path_params["job_id"]
        await run_sync(partial(verb, job_id, store=parts.store, wake=parts.wake))
        return RedirectResponse(f"/jobs/{job_id}", 303)

    return endpoint


async def repeat_job(request: Request) -> Response:
    """POST /jobs/{id}/again: the browser goes on to the new job."""
    job = await run_again(request, request.path_params["job_id"])
    return RedirectResponse(f"/jobs/{job.id}", 303)


async def delete_job(request: Request) -> Response:
    """POST /jobs/{id}/delete: the browser goes on to the history."""
    parts, job_id = parts_of(request), request.path_params["job_id"]
    await run_sync(partial(delete, job_id, store=parts.store, storage=parts.storage, wake=parts.wake))
    parts.previews.forget(job_id)
    return RedirectResponse("/jobs", 303)
