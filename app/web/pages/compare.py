"""Two jobs side by side: what each took, what each found, and the frames that differ."""

from functools import partial
from typing import Any

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from app.domain.errors import UnknownFilter
from app.domain.job import Job
from app.store import jobs
from app.web.comparison import compare_jobs
from app.web.contexts.compare import stage_words, verdict, view_frames, view_labels, view_pair, view_strip, view_times
from app.web.pages.job_view import overlay_of_frame
from app.web.parts import Parts, parts_of
from app.web.schemas import JobDocument, job_document
from app.web.stored_rows import row_of
from app.web.templating import page


async def show_comparison(request: Request) -> Response:
    """GET /compare?job=&job=: with `frame=` the pictures of that frame, else of the first that differs."""
    chosen = list(dict.fromkeys(request.query_params.getlist("job")))
    if len(chosen) != 2:
        context = {"chosen": len(chosen), "here": "/jobs"}
        return page(request, "compare_none", context, 200 if len(chosen) < 2 else 400)
    context = await run_sync(partial(_read, parts_of(request), chosen[0], chosen[1], request.query_params.get("frame")))
    return page(request, "compare", {"here": "/jobs", **context})


def _read(parts: Parts, first: str, second: str, frame: str | None) -> dict[str, Any]:
    one, other = _job(parts, first), _job(parts, second)
    found = compare_jobs(parts, one[0], other[0])
    last = max(0, max(one[0].frames_done, other[0].frames_done) - 1)
    shown = _frame(frame, last) if frame else found.differing[0][0] if found.differing else 0
    tone, sentence = verdict(found)
    stages = list(found.stages)
    return {
        "jobs": [one[0], other[0]],
        "pairs": view_pair(one, other),
        "times": view_times(one[1], other[1]),
        "labels": view_labels(found),
        "stages": [(stage.stage, stage_words(stage)) for stage in found.stages.values()],
        "frames": view_frames(found),
        "more": found.frames - len(found.differing),
        "strip": view_strip(found),
        "tone": tone,
        "sentence": sentence,
        "shown": shown,
        "last": last,
        "overlays": [overlay_of_frame(parts, job, row_of(parts, job, shown), stages) for job, _ in (one, other)],
        "query": f"job={first}&job={second}",
    }


def _job(parts: Parts, job_id: str) -> tuple[Job, JobDocument]:
    with parts.store.read() as tx:
        job = jobs.get(tx, job_id)
        return job, job_document(tx, job)


def _frame(text: str, last: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise UnknownFilter(what="frame", actual=text, known="whole numbers from 0 on")
    return min(int(text), last)
