"""Jobs over the API: listed, shown, deleted, and moved by their verbs."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final, Protocol

from anyio.to_thread import run_sync
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from app.actions.cancel import cancel
from app.actions.delete import delete
from app.actions.pause import pause
from app.actions.resume import resume
from app.actions.retry import retry
from app.actions.stop import stop
from app.domain.job import Job
from app.store import jobs, listing
from app.store.engine import Store
from app.web.job_filter import FILTERS, read_filter, read_sort
from app.web.parts import Parts, parts_of
from app.web.responses import json_response, read_query, whole_number
from app.web.schemas import JobDocument, job_document
from app.web.schemas_lists import JobListDocument

DEFAULT_LIMIT: Final = 50
MOST: Final = 200


class Verb(Protocol):
    """An action on a job that answers the job."""

    def __call__(self, job_id: str, *, store: Store, wake: Callable[[], None]) -> Job:
        """Bring it about, or raise UnknownJob or WrongState."""


VERBS: Final[Mapping[str, Verb]] = {"cancel": cancel, "pause": pause, "resume": resume, "stop": stop, "retry": retry}


async def list_jobs(request: Request) -> Response:
    """GET /v1/jobs: newest first, or in the order asked for."""
    query = read_query(request, (*FILTERS, "limit", "cursor"), many=("status",))
    limit = whole_number(query, "limit", least=1, most=MOST) or DEFAULT_LIMIT
    return json_response(await run_sync(_list, parts_of(request), query, limit))


def _list(parts: Parts, query: Mapping[str, str], limit: int) -> JobListDocument:
    wanted, sort = read_filter(query), read_sort(query)
    with parts.store.read() as tx:
        found, cursor = listing.page(tx, wanted, sort=sort, limit=limit, cursor=query.get("cursor"))
        return JobListDocument(items=[job_document(tx, job) for job in found], next_cursor=cursor)


async def show_job(request: Request) -> Response:
    """GET /v1/jobs/{id}."""
    read_query(request, ())
    return json_response(await run_sync(_show, parts_of(request), request.path_params["id"]))


def _show(parts: Parts, job_id: str) -> JobDocument:
    with parts.store.read() as tx:
        return job_document(tx, jobs.get(tx, job_id))


async def delete_job(request: Request) -> Response:
    """DELETE /v1/jobs/{id}: 204; an active job is refused."""
    parts, job_id = parts_of(request), request.path_params["id"]
    await run_sync(partial(delete, job_id, store=parts.store, storage=parts.storage, wake=parts.wake))
    parts.previews.forget(job_id)
    return Response(status_code=204)


def move_job(verb: Verb) -> Callable[[Request], Awaitable[Response]]:
    """Make the endpoint of POST /v1/jobs/{id}/{verb}: it answers the job."""

    async def endpoint(request: Request) -> Response:
        parts, job_id = parts_of(request), request.path_params["id"]
        await run_sync(partial(verb, job_id, store=parts.store, wake=parts.wake))
        return json_response(await run_sync(_show, parts, job_id))

    return endpoint


def job_of(tx: Connection, request: Request) -> Job:
    """Give the job an address names; raise UnknownJob."""
    return jobs.get(tx, request.path_params["id"])
