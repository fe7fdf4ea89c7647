"""How the API answers: typed documents as JSON, and queries read by name."""

from collections.abc import Collection, Mapping

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from app.domain.errors import UnknownFilter

FRESH = {"Cache-Control": "no-store"}


def json_response(document: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer a document as JSON."""
    body = document.model_dump_json(by_alias=True)
    return Response(body, status, {**FRESH, **(headers or {})}, media_type="application/json")


def read_query(request: Request, known: Collection[str], many: Collection[str] = ()) -> dict[str, str]:
    """Give the query by name, empty values left out; raise UnknownFilter for a name not known.

    Names in `many` may repeat; their values come joined by commas.
    """
    query: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise UnknownFilter(what="filter", actual=name, known=", ".join(known) or "none")
        if name in query and name not in many:
            raise UnknownFilter(what=f"second value of {name}", actual=value, known="one value")
        if value:
            query[name] = f"{query[name]},{value}" if name in query else value
    return query


def whole_number(query: Mapping[str, str], name: str, *, least: int = 0, most: int = 2**53) -> int | None:
    """Read a whole number of a query (None: not given); raise UnknownFilter outside `least` to `most`."""
    text = query.get(name)
    if text is None:
        return None
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else -1
    if not least <= number <= most:
        raise UnknownFilter(what=f"value of {name}", actual=text, known=f"whole numbers from {least} to {most}")
    return number
