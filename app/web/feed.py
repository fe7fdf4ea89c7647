"""The insights feed over HTTP: `/v1/insights` and `/v1/jobs/{id}/insights` for scripts, `/live` for pages."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from functools import wraps
from typing import Any, Final, cast

import anyio
from anyio import to_thread
from sse_starlette import EventSourceResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.domain.errors import TooManySubscribers, UnknownFilter
from app.domain.job import JobStatus
from app.insights.filter import Filter
from app.insights.subscription import Subscription
from app.insights.wire import JSON
from app.store import facts, jobs
from app.store.engine import Store
from app.web.connection import EXTENSION, Line
from app.web.feed_query import FILTERS, MOST_REWOUND, names, read_filter, read_last_event_id, read_query
from app.web.parts import parts_of
from app.web.responses import whole_number

SHUTDOWN: Final = "shutdown"  # the reason of a `close` after which a client is to come back
GRACE_S: Final = 1.5  # longer than the hub waits for its farewell to be taken: what the hub cuts off ends cleanly
METHODS: Final = "GET, HEAD, OPTIONS"
_log = logging.getLogger(__name__)


Endpoint = Callable[[Request], Awaitable[Response]]


def read_only(endpoint: Endpoint) -> Endpoint:
    """Answer OPTIONS with what may be done here, and leave the rest to an endpoint for GET and HEAD."""

    @wraps(endpoint)
    async def answer(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": METHODS, "Cache-Control": "no-store"})
        return await endpoint(request)

    return answer


@read_only
async def insights(request: Request) -> Response:
    """Answer `GET /v1/insights?job=&…`, with any of `FILTERS`: the feed of some jobs, or of all.

    Of all jobs, the snapshot holds the facts of those that have not ended, and the latest values.
    """
    query = read_query(request, ("job", *FILTERS))
    wanted = read_filter(parts_of(request), query, JSON, names(query, "job"))
    return await _follow(request, query, wanted, may_be_over=True)


@read_only
async def job_insights(request: Request) -> Response:
    """Answer `GET /v1/jobs/{id}/insights?…`, with any of `FILTERS`: the feed of one job, to its end."""
    query = read_query(request, FILTERS)
    wanted = read_filter(parts_of(request), query, JSON, frozenset({request.path_params["id"]}))
    return await _follow(request, query, wanted, may_be_over=True)


@read_only
async def live(request: Request) -> Response:
    """Answer `GET /live?page=&job=&…`, with any of `FILTERS`: the same feed as HTML for a kind of page.

    Messages have no name but `close`. Never 204: htmx would ask again for ever, a `close` makes it stop.
    """
    query = read_query(request, ("page", "job", *FILTERS))
    page = query.get("page", "")
    known = [name.removeprefix("html:") for name in parts_of(request).hub.channels if name.startswith("html:")]
    if page not in known:
        raise UnknownFilter(what="page", actual=page, known=", ".join(sorted(known)))
    wanted = read_filter(parts_of(request), query, f"html:{page}", names(query, "job"))
    return await _follow(request, query, wanted, may_be_over=False)


async def _follow(request: Request, query: Mapping[str, str], wanted: Filter, *, may_be_over: bool) -> Response:
    parts = parts_of(request)
    last_id = read_last_event_id(request)
    rewind = whole_number(query, "rewind", most=MOST_REWOUND)
    ended = await to_thread.run_sync(_ended_at, parts.store, wanted)
    if may_be_over and ended is not None and last_id is not None:
        await parts.hub.catch_up()
        if ended <= last_id <= parts.hub.head:
            return Response(status_code=204, headers={"Cache-Control": "no-store"})
    limit = parts.limits.max_subscribers
    if parts.hub.subscribers >= limit:
        raise TooManySubscribers(limit=limit)
    if request.method == "HEAD":
        return EventSourceResponse(_nothing())
    return FeedResponse(parts.hub.subscribe(wanted, last_event_id=last_id, rewind=rewind))  # counted and taken in one breath


def _ended_at(store: Store, wanted: Filter) -> int | None:
    """Raise UnknownJob for a job there is not; where just one is wanted and has ended, give the number of its last fact."""
    with store.read() as tx:
        statuses: dict[str, JobStatus] = {job_id: jobs.get(tx, job_id).status for job_id in sorted(wanted.jobs or ())}
        one = wanted.one_job
        return facts.head_of_job(tx, one) if one is not None and statuses[one].ended else None


class FeedResponse(EventSourceResponse):
    """A subscription as an event stream; the subscription ends with it, however that comes about.

    The response keeps the connection: headers, disconnect, shutdown, and what `messages()` gives. All between is written
    by the hub's pass: through the connection's own `send` where the server is ours, else through the one seen here.
    """

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        super().__init__(
            subscription.messages(),
            sep="\n",
            ping=0,  # the hub's sweep sends heartbeats: a task less for each connection
            shutdown_event=cast("anyio.Event", _Farewell(subscription)),
            shutdown_grace_period=GRACE_S,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until either side ends it."""
        line: Line | None = scope.get("extensions", {}).get(EXTENSION)
        with anyio.CancelScope() as here:

            def cut() -> None:
                _log.info("A subscriber took nothing for too long and was let go.")
                if line is not None:
                    line.cut()  # or the server would wait for it to take what is left
                here.cancel()

            def write(data: bytes) -> Coroutine[Any, Any, None]:
                return send({"type": "http.response.body", "body": data, "more_body": True})  # type: ignore[return-value]  # a send is a coroutine in every server

            self._subscription.attach(line.write if line else write, unsent=line.unsent if line else None, cut=cut)
            try:
                await super().__call__(scope, receive, send)
            finally:
                self._subscription.leave()


class _Farewell:
    """Stands for the event that sse-starlette sets when the server stops, and does nothing else with."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    def set(self) -> None:
        """End the stream cleanly."""
        self._subscription.end(SHUTDOWN)


async def _nothing() -> AsyncGenerator[bytes, None]:
    """Give the stream of an answer without a body."""
    return
    yield b""
