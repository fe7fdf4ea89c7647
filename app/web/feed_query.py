"""What the query of a feed asks for: read, checked, and refused by name where there is no such thing."""

from collections.abc import Collection, Mapping
from math import inf, isfinite, nan
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request

from app.domain.errors import UnknownFilter
from app.domain.insight import BY_TYPE, FILTERABLE_TYPES
from app.insights.filter import Filter
from app.insights.reduction import Reduction
from app.web.parts import Parts

FILTERS: Final = ("types", "plugin", "labels", "min_confidence", "max_rate", "last_event_id", "rewind")
MOST_REWOUND: Final = 10_000


def live_address(page: str, head: int, job_id: str | None = None, *, without: str = "") -> str:
    """Give the address of a page's feed; `head` is the number of the last fact that the page shows.

    `without` names a type of insight that the page is not to be told of.

    What happened between the reading for the page and its connection is then told to it like anything that was missed.
    """
    job = {} if job_id is None else {"job": job_id}
    types = {"types": ",".join(sorted(FILTERABLE_TYPES - {without}))} if without else {}
    return f"/live?{urlencode({'page': page, **job, **types, 'last_event_id': head})}"


def read_query(request: Request, known: tuple[str, ...]) -> dict[str, str]:
    """Read the query; what is given more than once is joined by commas, what is empty is as good as not given."""
    query: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise UnknownFilter(what="filter", actual=name, known=", ".join(known))
        if value:
            query[name] = f"{query[name]},{value}" if name in query else value
    return query


def read_filter(parts: Parts, query: Mapping[str, str], channel: str, job_ids: frozenset[str] | None) -> Filter:
    types, plugins = names(query, "types"), names(query, "plugin")
    _check("type", types, BY_TYPE)
    _check("plugin", plugins, parts.catalogue.found)
    asked = Reduction(plugins, names(query, "labels"), _number(query, "min_confidence", most=1.0) or 0.0)
    reduction = asked if asked != Reduction() else None
    return Filter(channel, job_ids, types, _number(query, "max_rate", above=0.0), reduction)


def _check(what: str, given: frozenset[str] | None, known: Collection[str]) -> None:
    for name in sorted(given or ()):
        if name not in known:
            raise UnknownFilter(what=what, actual=name, known=", ".join(known))


def names(query: Mapping[str, str], name: str) -> frozenset[str] | None:
    return frozenset(part.strip() for part in query[name].split(",")) if name in query else None


def _number(query: Mapping[str, str], name: str, *, above: float | None = None, most: float = inf) -> float | None:
    """Read a number: above a bound where there is one, else from 0 on; at most `most`, and finite."""
    given = query.get(name)
    if given is None:
        return None
    try:
        number = float(given)
    except ValueError:
        number = nan
    if not isfinite(number) or number > most or (number < 0 if above is None else number <= above):
        known = f"numbers above {above:g}" if above is not None else f"numbers from 0 to {most:g}"
        raise UnknownFilter(what=name, actual=given, known=known)
    return number


def read_last_event_id(request: Request) -> int | None:
    """Read where to resume: the header, which a browser sends by itself, before the query, which the page was made with."""
    given = request.headers.get("last-event-id") or request.query_params.get("last_event_id")
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= 18):
        raise UnknownFilter(what="last_event_id", actual=given, known="the numbers of facts")
    return int(given)
