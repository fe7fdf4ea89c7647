"""The insights feed over HTTP: `/v1/insights` and `/v1/jobs/{id}/insights` for scripts, `/live` for pages."""

import logging
from collections.abc import Mapping
from math import isfinite
from typing import Final, cast

import anyio
from anyio import to_thread
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.domain.errors import TooManySubscribers, UnknownFilter
from app.domain.insight import BY_TYPE
from app.domain.job import JobStatus
from app.insights.subscription import Subscription
from app.insights.topic import Filter
from app.insights.wire import JSON
from app.store import facts, jobs
from app.store.engine import Store
from app.web.parts import Parts, parts_of

HEARTBEAT_S: Final = 15
SEND_TIMEOUT_S: Final = 20  # a client that takes nothing for so long is let go; it resumes when it is back
FAREWELL_S: Final = 1.0
_COMMON: Final = ("types", "max_rate", "last_event_id")
_log = logging.getLogger(__name__)


async def insights(request: Request) -> Response:
    """Answer `GET /v1/insights?job=&types=&max_rate=&last_event_id=`: the feed of some jobs, or of all.

    Of all jobs, the snapshot holds the facts of those that have not ended, and the latest values.
    """
    query = _query(request, ("job", *_COMMON))
    return await _follow(request, _filter(query, JSON, _list(query, "job")), may_be_over=True)


async def job_insights(request: Request) -> Response:
    """Answer `GET /v1/jobs/{id}/insights?types=&max_rate=&last_event_id=`: the feed of one job, to its end."""
    query = _query(request, _COMMON)
    return await _follow(request, _filter(query, JSON, frozenset({request.path_params["id"]})), may_be_over=True)


async def live(request: Request) -> Response:
    """Answer `GET /live?page=&job=&types=&max_rate=&last_event_id=`: the same feed as HTML for a kind of page.

    Messages have no name but `close`. Never 204: htmx would ask again for ever, a `close` makes it stop.
    """
    query = _query(request, ("page", "job", *_COMMON))
    page = query.get("page", "")
    known = [name.removeprefix("html:") for name in parts_of(request).hub.channels if name.startswith("html:")]
    if page not in known:
        raise UnknownFilter(what="page", actual=page, known=", ".join(sorted(known)))
    return await _follow(request, _filter(query, f"html:{page}", _list(query, "job")), may_be_over=False)


async def _follow(request: Request, wanted: Filter, *, may_be_over: bool) -> Response:
    parts = parts_of(request)
    last_id = _last_event_id(request)
    ended = await to_thread.run_sync(_ended_at, parts.store, wanted)
    if may_be_over and ended is not None and last_id is not None:
        await parts.hub.catch_up()
        if ended <= last_id <= parts.hub.head:
            return Response(status_code=204, headers={"Cache-Control": "no-store"})
    return FeedResponse(_subscribe(parts, wanted, last_id))


def _subscribe(parts: Parts, wanted: Filter, last_id: int | None) -> Subscription:
    """Begin a subscription where there is room; what stands between the count and the response must not wait."""
    limit = parts.limits.max_subscribers
    if parts.hub.subscribers >= limit:
        raise TooManySubscribers(limit=limit)
    return parts.hub.subscribe(wanted, last_event_id=last_id)


def _ended_at(store: Store, wanted: Filter) -> int | None:
    """Raise UnknownJob for a job there is not; where just one is wanted and has ended, give the number of its last fact."""
    with store.read() as tx:
        statuses: dict[str, JobStatus] = {job_id: jobs.get(tx, job_id).status for job_id in sorted(wanted.jobs or ())}
        one = wanted.one_job
        return facts.head_of_job(tx, one) if one is not None and statuses[one].ended else None


class FeedResponse(EventSourceResponse):
    """A subscription as an event stream; the subscription ends with it, however that comes about."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        super().__init__(
            subscription.messages(),
            sep="\n",
            ping=HEARTBEAT_S,
            ping_message_factory=lambda: ServerSentEvent(comment="still here", sep="\n"),
            send_timeout=SEND_TIMEOUT_S,
            shutdown_event=cast("anyio.Event", _Farewell(subscription)),
            shutdown_grace_period=FAREWELL_S,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until either side ends it."""
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            _log.info("A subscriber took nothing for %d s and was let go.", SEND_TIMEOUT_S)
        finally:
            self._subscription.leave()


class _Farewell:
    """Stands for the event that sse-starlette sets when the server stops, and does nothing else with."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    def set(self) -> None:
        """End the stream cleanly."""
        self._subscription.end()


def _query(request: Request, known: tuple[str, ...]) -> dict[str, str]:
    """Read the query; what is given more than once is joined by commas, what is empty is as good as not given."""
    query: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise UnknownFilter(what="filter", actual=name, known=", ".join(known))
        if value:
            query[name] = f"{query[name]},{value}" if name in query else value
    return query


def _filter(query: Mapping[str, str], channel: str, job_ids: frozenset[str] | None) -> Filter:
    types = _list(query, "types")
    for kind in sorted(types or ()):
        if kind not in BY_TYPE:
            raise UnknownFilter(what="type", actual=kind, known=", ".join(BY_TYPE))
    return Filter(channel=channel, jobs=job_ids, types=types, max_rate=_max_rate(query))


def _list(query: Mapping[str, str], name: str) -> frozenset[str] | None:
    return frozenset(part.strip() for part in query[name].split(",")) if name in query else None


def _max_rate(query: Mapping[str, str]) -> float | None:
    given = query.get("max_rate")
    if given is None:
        return None
    try:
        rate = float(given)
    except ValueError:
        rate = 0.0
    if not isfinite(rate) or rate <= 0:
        raise UnknownFilter(what="max_rate", actual=given, known="numbers above 0")
    return rate


def _last_event_id(request: Request) -> int | None:
    """Read where to resume: the header, which a browser sends by itself, before the query, which the page was made with."""
    given = request.headers.get("last-event-id") or request.query_params.get("last_event_id")
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= 18):
        raise UnknownFilter(what="last_event_id", actual=given, known="the numbers of facts")
    return int(given)
