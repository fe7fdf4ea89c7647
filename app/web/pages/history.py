"""The history: every job that is kept, narrowed by what a person looks for, in the order they want."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from app.domain.history import JobSort
from app.store import facts, listing
from app.web.contexts.job import view_row
from app.web.contexts.words import STATUS_SIGNS
from app.web.feed_query import live_address
from app.web.job_filter import FILTERS, read_filter, read_sort
from app.web.parts import Parts, parts_of
from app.web.templating import page

_A_PAGE = 30
_RARE: Final = ("plugin", "tag", "since", "until", "warnings", "fallback")
_SORTS: Final = {
    JobSort.NEWEST: "Newest first",
    JobSort.OLDEST: "Oldest first",
    JobSort.NAME: "By name",
    JobSort.LONGEST: "Longest first",
}


async def show_history(request: Request) -> Response:
    """GET /jobs: newest first unless another order is asked for, a page at a time."""
    query = {name: value for name, value in request.query_params.items() if value}
    context = await run_sync(partial(_read, parts_of(request), query))
    return page(request, "jobs", context)


def _read(parts: Parts, query: Mapping[str, str]) -> dict[str, Any]:
    wanted, sort = read_filter(query), read_sort(query)
    with parts.store.read() as tx:
        head = facts.head(tx)
        found, cursor = listing.page(tx, wanted, sort=sort, limit=_A_PAGE, cursor=query.get("cursor"))
        tags = listing.tags(tx)
    kept = {name: query[name] for name in FILTERS if name in query}
    return {
        "feed": live_address("jobs", head),
        "jobs": [view_row(job) for job in found],
        "comparing": len(found) > 1,
        "empty": _empty(kept),
        "wanted": {name: kept.get(name, "") for name in FILTERS},
        "narrowed": any(name in kept for name in _RARE),
        "statuses": [(status.value, sign.word) for status, sign in STATUS_SIGNS.items()],
        "sorts": [(sort.value, word) for sort, word in _SORTS.items()],
        "plugins": [(name, name) for name in sorted(parts.catalogue.found)],
        "tags": [(tag, tag) for tag in tags],
        "first_url": f"/jobs?{urlencode(kept)}" if "cursor" in query else "",
        "next_url": f"/jobs?{urlencode({**kept, 'cursor': cursor})}" if cursor else "",
        "clear_url": "/jobs" if any(name != "sort" for name in kept) else "",
    }


def _empty(kept: Mapping[str, str]) -> str:
    if any(name != "sort" for name in kept):
        return "No job is like that. Take away a word or choose any status to see more."
    return "No job yet. Start the first one on the page “New job”; it will be kept here."
