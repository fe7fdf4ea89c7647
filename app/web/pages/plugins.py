"""The plugins found on this machine, and one plugin by itself, to be tried on a picture."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import msgspec
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.devices.inventory import Inventory
from app.domain import errors
from app.domain.job import Job
from app.domain.media import SourceKind
from app.domain.plugin import FoundPlugin
from app.store import breakdowns, jobs, plugins, warnings
from app.store.plugin_history import history
from app.web.contexts.found import found_of
from app.web.contexts.option_form import FIELD_PREFIX, view_fields
from app.web.contexts.plugin import view_cards, view_plugin
from app.web.contexts.plugin_devices import view_devices
from app.web.contexts.plugin_history import view_history, view_tally, view_troubles
from app.web.contexts.plugin_plot import view_plot
from app.web.contexts.stage import view_decision
from app.web.contexts.trial import TAG, TrialView, view_trial
from app.web.contexts.words import megabytes, slug
from app.web.cures import cure_of, wrong_option
from app.web.errors import NoSuchPlugin, problem_of
from app.web.form_submit import accept_form
from app.web.pages.job_view import overlay_of_frame
from app.web.parts import Parts, parts_of
from app.web.render import fragment
from app.web.samples import sample_of
from app.web.stored_rows import row_of
from app.web.templating import page

_PLOTTED_USES: Final = 40


@dataclass(frozen=True, slots=True)
class TrialForm:
    """What a person chose for a trial, to be shown again when it could not be taken."""

    options: dict[str, str]
    error: errors.SightlineError | None = None


async def show_plugins(request: Request) -> Response:
    """GET /plugins: with `?can=` those with a capability."""
    wanted = request.query_params.get("can", "")
    return page(request, "plugins", await run_sync(_overview, parts_of(request), wanted))


async def show_plugin(request: Request) -> Response:
    """GET /plugins/{id}: with `?tried=` what came of a trial, by its job."""
    return await _show(request, TrialForm({}))


async def show_plot(request: Request) -> Response:
    """GET /plugins/{id}/plot: its promise and its real times alone, for the panel of a stage; `?key=` makes its ids its own."""
    plugin_id, key = request.path_params["plugin_id"], request.query_params.get("key", "")
    return HTMLResponse(await run_sync(_plot, parts_of(request), plugin_id, slug(key)))


async def try_plugin(request: Request) -> Response:
    """POST /plugins/{id}/try: run the plugin on a picture, as a job; back to its page, which shows what comes of it."""
    plugin_id = request.path_params["plugin_id"]
    _found(parts_of(request), plugin_id)
    try:
        accepted = await accept_form(request)
    except errors.SightlineError as error:
        fields = getattr(request.state, "form_fields", {})
        options = {name: values[0] for name, values in fields.items() if name.startswith(FIELD_PREFIX)}
        return await _show(request, TrialForm(options, error))
    job = accepted.jobs[0]
    if job.source.kind is not SourceKind.IMAGE:
        return RedirectResponse(f"/jobs/{job.id}", 303)
    return RedirectResponse(f"/plugins/{plugin_id}?tried={job.id}", 303)


async def _show(request: Request, form: TrialForm) -> Response:
    read = partial(_plugin, parts_of(request), request.path_params["plugin_id"], request.query_params.get("tried"), form)
    context = await run_sync(read)
    problem = problem_of(form.error) if form.error else None
    told = {"problem": problem.detail if problem else "", "cure": cure_of(form.error) if form.error else ""}
    return page(request, "plugin", {**context, **told}, problem.status if problem else 200)


def _overview(parts: Parts, wanted: str) -> dict[str, Any]:
    with parts.store.read() as tx:
        records = plugins.records(tx)
    return {"overview": view_cards(tuple(parts.catalogue.found.values()), records, parts.catalogue.models, wanted)}


def _found(parts: Parts, plugin_id: str) -> FoundPlugin:
    found = parts.catalogue.found.get(plugin_id)
    if found is None:
        raise NoSuchPlugin(plugin=plugin_id, known=", ".join(parts.catalogue.found) or "none")
    return found


def _plot(parts: Parts, plugin_id: str, key: str) -> str:
    meta = _found(parts, plugin_id).metadata
    with parts.store.read() as tx:
        known = history(tx, plugin_id, _PLOTTED_USES)
    view = view_plugin(_found(parts, plugin_id), plugins.PluginRecord(), parts.catalogue.models)
    return fragment("plugin_plot", plot=view_plot(known.uses, meta.latency_budget_ms if meta else None), plugin=view, key=key)


def _plugin(parts: Parts, plugin_id: str, tried: str | None, form: TrialForm) -> dict[str, Any]:
    found = _found(parts, plugin_id)
    with parts.store.read() as tx:
        record, known = plugins.record(tx, plugin_id), history(tx, plugin_id, _PLOTTED_USES)
    meta = found.metadata
    versions, uses = view_history(known)
    wrong = wrong_option(form.error)
    return {
        "plugin": view_plugin(found, record, parts.catalogue.models),
        "versions": versions,
        "uses": uses,
        "tally": view_tally(known),
        "troubles": view_troubles(known),
        "plot": view_plot(known.uses, meta.latency_budget_ms) if meta else None,
        "devices": view_devices(meta, known.devices, msgspec.convert(parts.inventory(), Inventory)) if meta else None,
        "fields": view_fields(meta, form.options, wrong[1:] if wrong else None) if meta else (),
        "alone": meta is not None and meta.needs_pixels and not meta.needs_outputs,
        "sample": sample_of(parts, plugin_id) is not None,
        "limit": megabytes(parts.limits.max_upload_bytes / 1_000_000),
        "tag": TAG,
        "trial": _trial(parts, plugin_id, tried) if tried else None,
    }


def _trial(parts: Parts, plugin_id: str, job_id: str) -> TrialView | None:
    """Read a trial; None where its job is gone, or has nothing to do with the plugin."""
    with parts.store.read() as tx:
        try:
            job = jobs.get(tx, job_id)
        except errors.UnknownJob:
            return None
        rows = {row.stage: row for row in breakdowns.of_job(tx, job_id)}
        noted = tuple(warnings.of_job(tx, job_id))
        decided = dict(breakdowns.decisions(tx, job_id))
    stage = _stage_of(job, plugin_id)
    if stage is None:
        return None
    frame = row_of(parts, job, 0)
    output = frame.outputs.get(stage)
    overlay = replace(overlay_of_frame(parts, job, frame, job.pipeline.ids), frame="The picture")
    decision = view_decision(stage, decided[stage]) if stage in decided else None
    found = found_of(stage, 0, output) if output else None
    return view_trial(job, rows.get(stage), overlay=overlay, found=found, decision=decision, warnings=noted)


def _stage_of(job: Job, plugin_id: str) -> str | None:
    return next((stage.id for stage in job.pipeline.stages if stage.plugin == plugin_id), None)
