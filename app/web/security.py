"""Who may ask: the Host and Origin of a request, its token or sign-in, and the headers every answer carries."""

import hashlib
import hmac
import re
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.domain.errors import ForeignRequest, NotSignedIn, SightlineError
from app.web.errors import answer, wants_page
from app.web.parts import Limits

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
COOKIE: Final = "sightline_session"
SIGN_IN: Final = "/sign-in"
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # not no-referrer: a form would then be posted with the Origin "null"
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_HOST: Final = re.compile(r"(\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(:\d{1,5})?")
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN_PATHS: Final = frozenset({"/healthz", SIGN_IN})
_OPEN_PREFIX: Final = "/static/"  # what the sign-in page looks like holds no secret


class Guard:
    """Refuses requests that name another host, come from another web page, or carry no token where one is set."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        refusal = self._refusal(request)
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        try:
            check_host(request, self._limits.hosts)
            check_origin(request)
            check_token(request, self._limits.token)
        except NotSignedIn as unknown:
            if wants_page(request) and request.method in _SAFE_METHODS:
                return RedirectResponse(f"{SIGN_IN}?next={quote(_address(request))}", 303, {"Cache-Control": "no-store"})
            return answer(request, unknown)
        except SightlineError as foreign:
            return answer(request, foreign)
        return None


class AnswerHeaders:
    """Puts the security headers on every answer that does not carry its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back with the headers."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def check_host(request: HTTPConnection, hosts: frozenset[str]) -> None:
    """Raise ForeignRequest unless the Host header names this server, whatever the port; `*` among `hosts` takes any."""
    given = request.headers.get("host", "")
    name = _host_name(given)
    if "*" not in hosts and name not in LOOPBACK and name not in hosts:
        raise ForeignRequest(header="Host", actual=given)


def check_origin(request: Request) -> None:
    """Raise ForeignRequest when a request that changes something comes from another web page."""
    if request.method in _SAFE_METHODS:
        return
    site = request.headers.get("sec-fetch-site", "none")
    if site not in {"same-origin", "none"}:  # same-site is another server too: any port of this host
        raise ForeignRequest(header="Sec-Fetch-Site", actual=site)
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower():
        raise ForeignRequest(header="Origin", actual=origin)


def check_token(request: Request, token: str) -> None:
    """Raise NotSignedIn unless no token is set, or the request carries it, or a sign-in made with it."""
    path = request.url.path
    if not token or path in _OPEN_PATHS or path.startswith(_OPEN_PREFIX):
        return
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and same(given.strip(), token):
        return
    if not same(request.cookies.get(COOKIE, ""), session_of(token)):
        raise NotSignedIn


def session_of(token: str) -> str:
    """Give the cookie's value: proof that the token was known, from which it cannot be read."""
    return hmac.new(token.encode(), b"sightline sign-in 1", hashlib.sha256).hexdigest()


def same(given: str, expected: str) -> bool:
    """Compare secrets in a time that says nothing about where they differ."""
    return hmac.compare_digest(given.encode(), expected.encode())


def _host_name(header: str) -> str:
    match = _HOST.fullmatch(header.lower())
    return (match["v6"] or match["name"]).rstrip(".") if match else ""


def _address(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
