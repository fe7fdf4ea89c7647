"""Signing in with the server's token, for browsers; scripts send the token itself."""

from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.web.parts import parts_of
from app.web.security import COOKIE, SIGN_IN, same, session_of
from app.web.templating import page
from app.web.uploads import receive_body

_MONTH_S: Final = 30 * 24 * 3600


async def show_sign_in(request: Request) -> Response:
    """GET /sign-in: the form."""
    return _form(request, safe_next(request.query_params.get("next", "/")), 200)


async def sign_in(request: Request) -> Response:
    """POST /sign-in: set the cookie and go on to where the browser wanted to; 401 and the form again for a wrong token."""
    fields = parse_qs((await receive_body(request)).decode(errors="replace"))
    wanted = safe_next(fields.get("next", ["/"])[0])
    token = parts_of(request).limits.token
    if not token or not same(fields.get("token", [""])[0].strip(), token):
        return _form(request, wanted, 401, "This is not the server's token.")
    response = RedirectResponse(wanted, 303)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, session_of(token), max_age=_MONTH_S, httponly=True, samesite="strict", secure=secure)
    return response


async def sign_out(_request: Request) -> Response:
    """POST /sign-out: forget the cookie."""
    response = RedirectResponse(SIGN_IN, 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


def safe_next(address: str) -> str:
    """Give an address of this server: anything that a browser might take for another one becomes the start page."""
    plain = address.isprintable() and address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if plain else "/"


def _form(request: Request, wanted: str, status: int, flaw: str = "") -> Response:
    response = page(request, "sign_in", {"next": wanted, "problem": flaw}, status)
    response.headers["Cache-Control"] = "no-store"
    return response
