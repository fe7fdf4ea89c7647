"""Two jobs compared over the API."""

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from app.store import jobs
from app.web.comparison import compare_jobs
from app.web.parts import Parts, parts_of
from app.web.responses import json_response, read_query
from app.web.schemas_compare import ComparisonDocument


async def show_comparison(request: Request) -> Response:
    """GET /v1/jobs/{id}/compare/{other}."""
    read_query(request, ())
    first, second = request.path_params["id"], request.path_params["other"]
    return json_response(await run_sync(_document, parts_of(request), first, second))


def _document(parts: Parts, first: str, second: str) -> ComparisonDocument:
    with parts.store.read() as tx:
        one, other = jobs.get(tx, first), jobs.get(tx, second)
    return ComparisonDocument.of(first, second, compare_jobs(parts, one, other))
