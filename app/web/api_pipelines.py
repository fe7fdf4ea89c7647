"""Saved pipelines over the API: listed, shown, saved and deleted by name."""

from functools import partial
from typing import Final

import msgspec
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from app.actions.delete_pipeline import delete_pipeline
from app.actions.draft import read_stages
from app.actions.save_pipeline import save_pipeline
from app.domain.errors import MalformedBody, UnknownPipeline, UnsupportedBody
from app.store import pipelines
from app.web.errors import NoSuchPipeline
from app.web.parts import Parts, parts_of
from app.web.responses import json_response, read_query, whole_number
from app.web.schemas_lists import PipelineListDocument
from app.web.schemas_pipeline import SavedPipelineDocument
from app.web.uploads import receive_body

DEFAULT_LIMIT: Final = 50
MOST: Final = 200
_JSON: Final = "application/json"


async def list_pipelines(request: Request) -> Response:
    """GET /v1/pipelines: in the order of their names."""
    query = read_query(request, ("limit", "cursor"))
    limit = whole_number(query, "limit", least=1, most=MOST) or DEFAULT_LIMIT
    return json_response(await run_sync(partial(_list, parts_of(request), limit, query.get("cursor"))))


async def show_pipeline(request: Request) -> Response:
    """GET /v1/pipelines/{name}; raises NoSuchPipeline."""
    read_query(request, ())
    return json_response(await run_sync(_show, parts_of(request), request.path_params["name"]))


async def put_pipeline(request: Request) -> Response:
    """PUT /v1/pipelines/{name}: 201 for a new name, 200 where it replaces one; what could not run is not saved."""
    read_query(request, ())
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _JSON:
        raise UnsupportedBody(actual=kind, expected=_JSON)
    try:
        document = msgspec.json.decode(await receive_body(request))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise MalformedBody.because(str(wrong)) from None
    parts, name = parts_of(request), request.path_params["name"]
    save = partial(
        save_pipeline, name, read_stages(document), store=parts.store, catalogue=parts.catalogue,
        model_roots=parts.limits.source_roots,
    )  # fmt: skip
    saved, new = await run_sync(save)
    headers = {"Location": f"/v1/pipelines/{name}"} if new else {}
    return json_response(SavedPipelineDocument.of(saved), 201 if new else 200, headers)


async def remove_pipeline(request: Request) -> Response:
    """DELETE /v1/pipelines/{name}: 204; raises NoSuchPipeline."""
    try:
        await run_sync(partial(delete_pipeline, request.path_params["name"], store=parts_of(request).store))
    except UnknownPipeline as unknown:
        raise NoSuchPipeline(**unknown.facts) from None
    return Response(status_code=204)


def _list(parts: Parts, limit: int, cursor: str | None) -> PipelineListDocument:
    with parts.store.read() as tx:
        found, following = pipelines.page(tx, limit=limit, cursor=cursor)
    return PipelineListDocument(items=[SavedPipelineDocument.of(saved) for saved in found], next_cursor=following)


def _show(parts: Parts, name: str) -> SavedPipelineDocument:
    try:
        with parts.store.read() as tx:
            return SavedPipelineDocument.of(pipelines.get(tx, name))
    except UnknownPipeline as unknown:
        raise NoSuchPipeline(**unknown.facts) from None
