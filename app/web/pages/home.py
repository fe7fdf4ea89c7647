"""The start page: the form for a new job, and the jobs that run and wait."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.domain import errors
from app.domain.device import Target
from app.domain.job import JobStatus
from app.store import jobs
from app.web.api_submit import accept_job
from app.web.contexts.job import JobRow, view_row
from app.web.contexts.plugin import view_choices
from app.web.contexts.stage import TARGET_NAMES
from app.web.contexts.words import megabytes
from app.web.errors import problem_of
from app.web.parts import Parts, parts_of
from app.web.templating import page

_ACTIVE: Final = tuple(status for status in JobStatus if not status.ended)
_MOST_ROWS: Final = 30
DEVICES: Final = (("auto", "Automatic: the best that works here"), *((t.value, TARGET_NAMES[t]) for t in reversed(Target)))
CURES: Final[Mapping[type[errors.SightlineError], str]] = {
    errors.UploadTooLarge: "Choose a smaller file, or a shorter part of the video.",
    errors.UnreadableMedia: "Choose a video or an image that plays on your own machine.",
    errors.EmptyMedia: "Choose a file with at least one picture in it.",
    errors.BadField: "Change what is named here and start again.",
    errors.BadDevice: "Pick a device from the list.",
    errors.QueueFull: "Wait until some jobs are done, or cancel one.",
    errors.DiskFull: "Delete jobs that are no longer needed, then start again.",
    errors.MalformedBody: "The upload was cut off on its way. Start again.",
}
_CURE: Final = "Change what is wrong and start again."


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person chose in the form, to be shown again when it could not be taken."""

    plugins: Sequence[str] = ()
    device: str = "auto"


async def show_home(request: Request) -> Response:
    """GET /: with `?plugin=` some plugins are picked already."""
    return await _home(request, Choices(request.query_params.getlist("plugin")))


async def create_job(request: Request) -> Response:
    """POST /jobs: the form without scripts; on to the job's page, or the form again with what is wrong and what to do."""
    try:
        job, _ = await accept_job(request)
    except errors.SightlineError as error:
        fields: Mapping[str, Sequence[str]] = getattr(request.state, "form_fields", {})
        chosen = Choices(fields.get("plugins", ()), next(iter(fields.get("device", ())), "auto"))
        return await _home(request, chosen, error)
    return RedirectResponse(f"/jobs/{job.id}", 303)


async def _home(request: Request, chosen: Choices, error: errors.SightlineError | None = None) -> Response:
    parts = parts_of(request)
    problem = problem_of(error) if error else None
    context: dict[str, Any] = {
        "feed": "/live?page=home",
        "choices": view_choices(tuple(parts.catalogue.found.values()), chosen.plugins),
        "devices": DEVICES,
        "device": chosen.device,
        "limit": megabytes(parts.limits.max_upload_bytes / 1_000_000),
        "jobs": await run_sync(_active, parts),
        "empty": "Nothing runs and nothing waits. Start a job with the form; it will stand here while it works.",
        "problem": problem.detail if problem else "",
        "cure": _cure(error) if error else "",
    }
    return page(request, "home", {"here": "/", **context}, problem.status if problem else 200)


def _cure(error: errors.SightlineError) -> str:
    if isinstance(error, errors.BadField) and error.facts.get("field") == "plugins":
        return "Pick at least one plugin that shall look at the video."
    if isinstance(error, errors.BadField) and error.facts.get("field") == "file":
        return "Choose a video or an image."
    return next((cure for kind, cure in CURES.items() if isinstance(error, kind)), _CURE)


def _active(parts: Parts) -> list[JobRow]:
    with parts.store.read() as tx:
        found, _ = jobs.page(tx, statuses=_ACTIVE, limit=_MOST_ROWS)
    return [view_row(job) for job in found]
