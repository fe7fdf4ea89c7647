"""The start page: the form for a new job, and the jobs that run and wait."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, quote

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.actions.save_choice import save_choice
from app.domain import errors
from app.domain.history import JobFilter
from app.domain.job import Job, JobStatus
from app.domain.media import SourceKind, SourceRef
from app.domain.pipeline import SavedPipeline
from app.store import facts, jobs, listing, pipelines
from app.web.choices import Choices
from app.web.contexts.job import JobRow, view_row
from app.web.contexts.new_job import view_devices, view_more, view_source
from app.web.contexts.plugin import PipelineChoice, view_choices, view_pipelines
from app.web.contexts.words import megabytes
from app.web.cures import cure_of, wrong_option
from app.web.errors import Problem, problem_of
from app.web.feed_query import live_address
from app.web.form_submit import accept_form, read_form
from app.web.parts import Parts, parts_of
from app.web.samples import CLIP, CLIP_PLUGINS, sample_of
from app.web.templating import page
from app.web.uploads import receive_body

_ACTIVE: Final = tuple(status for status in JobStatus if not status.ended)
_MOST_ROWS: Final = 30
_MOST_PIPELINES: Final = 100


@dataclass(frozen=True, slots=True)
class _Known:
    """What the database says of the page: `like` is the job that is taken over, `first` that there is no job at all."""

    head: int
    rows: list[JobRow]
    saved: list[SavedPipeline]
    like: Job | None
    first: bool


async def show_home(request: Request) -> Response:
    """GET /: with `?plugin=` some plugins are picked already, with `?pipeline=` a saved pipeline, with `?like=` a job's all."""
    query = request.query_params
    if "like" not in query:
        return await _home(request, Choices.of_query(query))
    parts = parts_of(request)
    job = await run_sync(_job, parts, query["like"])
    known = {name: found.metadata for name, found in parts.catalogue.found.items() if found.metadata}
    return await _home(request, Choices.of_job(job, known))


async def create_job(request: Request) -> Response:
    """POST /jobs: the form without scripts; on to the job's page, or the form again with what is wrong and what to do."""
    try:
        accepted = await accept_form(request)
    except errors.SightlineError as error:
        return await _home(request, Choices.of_fields(getattr(request.state, "form_fields", {})), error)
    if accepted.refused:  # of a folder's files; the others run
        count = len(accepted.jobs)
        started = f"{count} of {count + len(accepted.refused)} jobs were started."
        return await _home(request, Choices(), accepted.refused[0], started)
    one = len(accepted.jobs) == 1
    return RedirectResponse(f"/jobs/{accepted.jobs[0].id}" if one else "/jobs", 303)


async def save_pipeline(request: Request) -> Response:
    """POST /pipelines: keep the stages chosen in the form under its `pipeline_name`; on to a new job that takes them."""
    body = (await receive_body(request)).decode(errors="replace")
    fields = parse_qs(body, keep_blank_values=True)
    try:
        saved = await run_sync(_save, parts_of(request), fields)
    except errors.SightlineError as error:
        return await _home(request, Choices.of_fields(fields), error, saving=True)
    return RedirectResponse(f"/?pipeline={quote(saved.name)}", 303)


async def _home(
    request: Request, chosen: Choices, error: errors.SightlineError | None = None, started: str = "", *, saving: bool = False
) -> Response:
    parts = parts_of(request)
    problem = problem_of(error) if error else None
    known = await run_sync(_read, parts, chosen.like)
    devices = view_devices(await run_sync(parts.inventory), error)
    context: dict[str, Any] = {
        "feed": live_address("home", known.head),
        "source": view_source(chosen, parts.limits.source_roots, known.like, error),
        "more": view_more(chosen),
        "choices": view_choices(
            tuple(parts.catalogue.found.values()), chosen.plugins, chosen.options, wrong_option(error), chosen.places
        ),
        **devices,
        "device": chosen.device,
        "strict": chosen.strict,
        "limit": megabytes(parts.limits.max_upload_bytes / 1_000_000),
        "limit_bytes": parts.limits.max_upload_bytes,
        "comparing": False,
        "pipelines": _pipelines(known, chosen),
        "save_name": chosen.pipeline_name,
        "jobs": known.rows,
        "empty": "Nothing runs and nothing waits. Start a job with the form; it will stand here while it works.",
        "first": known.first,
        "sample": CLIP_PLUGINS if sample_of(parts, CLIP) and set(CLIP_PLUGINS) <= set(parts.catalogue.found) else (),
        **_told(error, problem, started, saving=saving),
    }
    return page(request, "home", {"here": "/", **context}, problem.status if problem else 200)


def _told(error: errors.SightlineError | None, problem: Problem | None, started: str, *, saving: bool) -> dict[str, str]:
    """Say what is wrong where it is: of a pipeline that could not be saved beside its name, else above the form."""
    if error is None or problem is None:
        return {"problem": "", "cure": "", "save_problem": ""}
    detail, cure = problem.detail, started or cure_of(error)
    if saving:
        return {"problem": "", "cure": "", "save_problem": f"{detail} {cure}"}
    return {"problem": detail, "cure": cure, "save_problem": ""}


def _pipelines(known: _Known, chosen: Choices) -> tuple[PipelineChoice, ...]:
    saved = view_pipelines(known.saved, chosen.pipeline)
    if not (chosen.pipeline.startswith("{") and known.like):
        return saved
    chain = " → ".join(known.like.pipeline.ids)
    return (PipelineChoice(f"The pipeline of {known.like.name}", chain, chosen=True, value=chosen.pipeline), *saved)


def _job(parts: Parts, job_id: str) -> Job:
    with parts.store.read() as tx:
        return jobs.get(tx, job_id)


def _read(parts: Parts, like: str) -> _Known:
    with parts.store.read() as tx:
        head = facts.head(tx)
        found, _ = listing.page(tx, JobFilter(statuses=_ACTIVE), limit=_MOST_ROWS)
        saved, _ = pipelines.page(tx, limit=_MOST_PIPELINES)
        any_job, _ = listing.page(tx, limit=1)
        try:
            job = jobs.get(tx, like) if like else None
        except errors.UnknownJob:
            job = None
    return _Known(head, [view_row(job) for job in found], list(saved), job, not any_job)


def _save(parts: Parts, fields: dict[str, list[str]]) -> SavedPipeline:
    name = fields.get("pipeline_name", [""])[0].strip()
    given = {field: values for field, values in fields.items() if field != "file"}
    nothing = SourceRef(SourceKind.IMAGE, "", None)
    draft = read_form(given, parts).draft(
        nothing, idempotency_key=None, fingerprint=None, model_roots=parts.limits.source_roots
    )
    return save_choice(name, draft, store=parts.store, catalogue=parts.catalogue)
