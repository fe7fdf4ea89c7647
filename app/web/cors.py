"""Lets pages of other origins read the API and the feed, where the settings name those origins; without them, none may."""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_READABLE: Final = "/v1/"
_METHODS: Final = frozenset({"GET", "HEAD"})
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Cache-Control, Last-Event-ID",
    "Access-Control-Max-Age": "600",
}


class CrossOrigin:
    """Answers preflights for reading, and marks answers under `/v1/` as readable, for the `origins` given (`*`: for any).

    Cookies never count across origins; writing stays refused by the guard, whatever a preflight says.
    """

    def __init__(self, app: ASGIApp, origins: frozenset[str]) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back with the headers; answer a preflight."""
        if scope["type"] != "http" or not scope["path"].startswith(_READABLE) or not self._origins:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        marks = self._marks(headers.get("origin", ""))
        wanted = headers.get("access-control-request-method")
        if scope["method"] == "OPTIONS" and marks and wanted in _METHODS:
            await Response(status_code=204, headers={**marks, **_PREFLIGHT, "Vary": "Origin"})(scope, receive, send)
            return

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                answered.update(marks)
                answered.add_vary_header("Origin")
            await send(message)

        await self._app(scope, receive, send_marked)

    def _marks(self, origin: str) -> dict[str, str]:
        if not origin or not ({origin.lower(), "*"} & self._origins):
            return {}
        return {"Access-Control-Allow-Origin": origin, "Cross-Origin-Resource-Policy": "cross-origin"}
