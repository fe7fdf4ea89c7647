"""Errors on their way out: one table error → status, problem+json for the API, a small page for browsers."""

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, Response

from app.domain import errors
from app.web.templating import error_page

log = logging.getLogger(__name__)


class NoSuchPlugin(errors.UnknownPlugin):
    """An address names a plugin that is not there (in a pipeline the same is `UnknownPlugin`)."""


class NoSuchPipeline(errors.UnknownPipeline):
    """An address names a saved pipeline that is not there (for a job the same is `UnknownPipeline`)."""


STATUS: Final[dict[type[errors.SightlineError], HTTPStatus]] = {
    errors.MalformedBody: HTTPStatus.BAD_REQUEST,
    errors.UnknownFilter: HTTPStatus.BAD_REQUEST,
    errors.NotSignedIn: HTTPStatus.UNAUTHORIZED,
    errors.ForeignRequest: HTTPStatus.FORBIDDEN,
    errors.UnknownJob: HTTPStatus.NOT_FOUND,
    errors.UnknownPage: HTTPStatus.NOT_FOUND,
    errors.UnknownFrame: HTTPStatus.NOT_FOUND,
    NoSuchPlugin: HTTPStatus.NOT_FOUND,
    NoSuchPipeline: HTTPStatus.NOT_FOUND,
    errors.WrongState: HTTPStatus.CONFLICT,
    errors.IdempotencyConflict: HTTPStatus.CONFLICT,
    errors.FrameGone: HTTPStatus.GONE,
    errors.UploadTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedBody: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.UnknownField: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.BadField: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UnreadableMedia: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.EmptyMedia: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UnsupportedSource: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UnknownPlugin: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UnknownPipeline: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.BrokenPlugin: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.BadManifest: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.BadPipeline: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.BadOption: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ModelMissing: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.RuntimeMissing: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.BadDevice: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.DeviceRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.QueueFull: HTTPStatus.TOO_MANY_REQUESTS,
    errors.AttachFailed: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.UnknownModel: HTTPStatus.NOT_FOUND,
    errors.PullFailed: HTTPStatus.BAD_GATEWAY,
    errors.ServerTrouble: HTTPStatus.BAD_GATEWAY,
    errors.WorkerLost: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.DiskFull: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.NotReady: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.TooManySubscribers: HTTPStatus.SERVICE_UNAVAILABLE,
}
RETRY_AFTER_S: Final = {HTTPStatus.TOO_MANY_REQUESTS: "10", HTTPStatus.SERVICE_UNAVAILABLE: "5"}
API_PREFIXES: Final = ("/v1/", "/healthz", "/readyz", "/metrics", "/problems/")


class Problem(msgspec.Struct, frozen=True):
    """What went wrong, as RFC 9457 says it; `more` are members of its own."""

    type: str
    title: str
    status: int
    detail: str
    more: Mapping[str, Any] = {}

    def body(self) -> bytes:
        """Give the problem as JSON."""
        members = {"type": self.type, "title": self.title, "status": self.status, "detail": self.detail, **self.more}
        return msgspec.json.encode(members)


def problem_of(error: Exception) -> Problem:
    """Turn an error into what a client may know of it: never a traceback, never words of an unforeseen error."""
    if isinstance(error, errors.SightlineError):
        status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), HTTPStatus.INTERNAL_SERVER_ERROR)
        problem = _problem(re.sub(r"(?<!^)(?=[A-Z])", " ", type(error).__name__), status, str(error))
        several = error.facts.get("problems")
        members = {"problems": several} if several else error.facts if isinstance(error, errors.BadOption) else {}
        return msgspec.structs.replace(problem, more={name: value for name, value in members.items() if name != "actual"})
    if isinstance(error, HTTPException):
        known = HTTPStatus(error.status_code)
        usual = error.detail in {known.phrase, ""}
        return _problem(known.phrase, known, known.description if usual else error.detail)
    return _problem(
        "Internal error", HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong in the server; its log says what."
    )


def _problem(words: str, status: HTTPStatus, detail: str) -> Problem:
    slug = words.lower().replace(" ", "-")
    return Problem(f"/problems/{slug}", words.capitalize(), int(status), detail or status.phrase)


def wants_page(connection: HTTPConnection) -> bool:
    """Say whether an error is read by a person: a page's address, asked for by a browser."""
    path = connection.url.path
    return not path.startswith(API_PREFIXES) and "text/html" in connection.headers.get("accept", "")


def answer(connection: HTTPConnection, error: Exception, more: Mapping[str, Any] | None = None) -> Response:
    """Answer an error: problem+json, or a page where a browser asked for one."""
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.NOT_FOUND:
        error = errors.UnknownPage(path=connection.url.path)
    problem = problem_of(error)
    if more:
        problem = msgspec.structs.replace(problem, more={**problem.more, **more})
    headers = _headers(error, problem.status)
    if wants_page(connection):
        return HTMLResponse(error_page(problem.title, problem.detail, problem.status), problem.status, headers)
    return Response(problem.body(), problem.status, headers, media_type="application/problem+json")


def _headers(error: Exception, status: int) -> dict[str, str]:
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, HTTPException) and error.headers:
        headers |= error.headers  # Allow, for a method that is not
    if status in RETRY_AFTER_S:
        headers["Retry-After"] = RETRY_AFTER_S[HTTPStatus(status)]
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="sightline"'
    return headers


async def on_error(request: Request, error: Exception) -> Response:
    """Answer an error somebody can cause: one of the family, or an address or method that is not there."""
    return answer(request, error)


async def on_crash(request: Request, error: Exception) -> Response:
    """Answer an error nobody foresaw; the server logs it with its traceback."""
    log.error("%s %s failed: %s", request.method, request.url.path, type(error).__name__)
    return answer(request, error)
