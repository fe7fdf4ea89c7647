"""The history: every job that is kept, narrowed by words, status and plugin."""

from collections.abc import Mapping
from functools import partial
from urllib.parse import urlencode

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from app.domain.errors import UnknownFilter
from app.domain.job import JobStatus
from app.store import jobs
from app.web.contexts.job import JobRow, view_row
from app.web.contexts.words import STATUS_SIGNS
from app.web.parts import Parts, parts_of
from app.web.templating import page

_A_PAGE = 30
_FILTERS = ("q", "status", "plugin")


async def show_history(request: Request) -> Response:
    """GET /jobs: newest first, a page at a time."""
    query = {name: value for name, value in request.query_params.items() if value}
    rows, cursor = await run_sync(partial(_read, parts_of(request), query))
    kept = {name: query[name] for name in _FILTERS if name in query}
    context = {
        "feed": "/live?page=jobs",
        "jobs": rows,
        "empty": _empty(kept),
        "q": query.get("q", ""),
        "status_wanted": query.get("status", ""),
        "statuses": [(status.value, sign.word) for status, sign in STATUS_SIGNS.items()],
        "first_url": f"/jobs?{urlencode(kept)}" if "cursor" in query else "",
        "next_url": f"/jobs?{urlencode({**kept, 'cursor': cursor})}" if cursor else "",
    }
    return page(request, "jobs", context)


def _read(parts: Parts, query: Mapping[str, str]) -> tuple[list[JobRow], str | None]:
    wanted = query.get("status", "")
    if wanted and wanted not in set(JobStatus):
        raise UnknownFilter(what="status", actual=wanted, known=", ".join(JobStatus))
    with parts.store.read() as tx:
        found, cursor = jobs.page(
            tx,
            statuses=(JobStatus(wanted),) if wanted else (),
            plugin=query.get("plugin"),
            q=query.get("q"),
            limit=_A_PAGE,
            cursor=query.get("cursor"),
        )
    return [view_row(job) for job in found], cursor


def _empty(kept: Mapping[str, str]) -> str:
    if kept:
        return "No job is like that. Take away a word or choose any status to see more."
    return "No job yet. Start the first one on the page “New job”; it will be kept here."
