"""Whether the server lives, whether it can work, who reads its feed, and what its API is."""

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from app.domain.errors import NotReady
from app.web.errors import answer
from app.web.openapi import openapi_json
from app.web.parts import parts_of
from app.web.responses import FRESH, json_response, read_query
from app.web.schemas_feed import SubscriberDocument, SubscriberListDocument
from app.web.schemas_lists import AliveDocument, ReadinessDocument


async def alive(_request: Request) -> Response:
    """GET /healthz: it answers, so it lives."""
    return json_response(AliveDocument(status="ok"))


async def ready(request: Request) -> Response:
    """GET /readyz: 200 when every part can do its work, else 503 with the reasons."""
    readiness = await run_sync(parts_of(request).readiness)
    checks = dict(readiness.checks)
    if readiness.ready:
        return json_response(ReadinessDocument(ready=True, checks=checks))
    reasons = "; ".join(f"{part}: {reason}" for part, reason in checks.items() if reason is not None)
    return answer(request, NotReady.because(reasons), {"ready": False, "checks": checks})


async def list_subscribers(request: Request) -> Response:
    """GET /v1/insights/subscribers: who reads the feed, how far behind, at which cost."""
    read_query(request, ())
    found = [SubscriberDocument.of(one) for one in parts_of(request).hub.subscriptions()]
    found.sort(key=lambda one: (-one.lag_ms, one.opened_at))
    return json_response(SubscriberListDocument(items=found, next_cursor=None))


async def show_openapi(_request: Request) -> Response:
    """GET /v1/openapi.json."""
    return Response(openapi_json(), headers=FRESH, media_type="application/json")
