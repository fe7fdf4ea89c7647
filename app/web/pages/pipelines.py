"""Saved pipelines from the pages: a job's pipeline is saved under a name, and a saved one is deleted."""

from functools import partial
from urllib.parse import parse_qs, quote

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.actions.delete_pipeline import delete_pipeline
from app.actions.save_pipeline import save_pipeline
from app.domain.pipeline import SavedPipeline
from app.store import jobs
from app.web.parts import Parts, parts_of
from app.web.uploads import receive_body


async def save_job_pipeline(request: Request) -> Response:
    """POST /jobs/{id}/pipeline: save the job's pipeline under the `name` of the form; on to a new job that takes it."""
    name = await _name(request)
    saved = await run_sync(_save, parts_of(request), request.path_params["job_id"], name)
    return RedirectResponse(f"/?pipeline={quote(saved.name)}", 303)


async def remove_pipeline(request: Request) -> Response:
    """POST /pipelines/delete: delete the saved pipeline that the form names; back to the new job."""
    name = await _name(request)
    await run_sync(partial(delete_pipeline, name, store=parts_of(request).store))
    return RedirectResponse("/", 303)


async def _name(request: Request) -> str:
    fields = parse_qs((await receive_body(request)).decode(errors="replace"))
    return fields.get("name", [""])[0].strip()


def _save(parts: Parts, job_id: str, name: str) -> SavedPipeline:
    with parts.store.read() as tx:
        stages = jobs.get(tx, job_id).pipeline.stages
    roots = parts.limits.source_roots
    return save_pipeline(name, stages, store=parts.store, catalogue=parts.catalogue, model_roots=roots)[0]
