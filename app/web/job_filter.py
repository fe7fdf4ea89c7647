"""Reads what a person looks for among the jobs from the query of an address; the API and the history page share it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final

from app.domain.errors import UnknownFilter
from app.domain.history import JobFilter, JobSort
from app.domain.job import JobStatus

FILTERS: Final = ("status", "plugin", "q", "tag", "since", "until", "warnings", "fallback", "sort")
_YES_OR_NO: Final = {"true": True, "false": False}


def read_filter(query: Mapping[str, str]) -> JobFilter:
    """Give the filter of a query; raise UnknownFilter for a value that there is not."""
    return JobFilter(
        statuses=_statuses(query.get("status", "")),
        plugin=query.get("plugin"),
        q=query.get("q"),
        tag=query.get("tag"),
        since=_moment(query, "since", timedelta()),
        until=_moment(query, "until", timedelta(days=1)),
        warnings=_flag(query, "warnings"),
        fallback=_flag(query, "fallback"),
    )


def read_sort(query: Mapping[str, str]) -> JobSort:
    """Give the order of a query, newest first where it names none; raise UnknownFilter."""
    name = query.get("sort", JobSort.NEWEST.value)
    if name not in set(JobSort):
        raise UnknownFilter(what="order", actual=name, known=", ".join(JobSort))
    return JobSort(name)


def _statuses(text: str) -> tuple[JobStatus, ...]:
    names = [name for name in text.split(",") if name]
    strange = next((name for name in names if name not in set(JobStatus)), None)
    if strange is not None:
        raise UnknownFilter(what="status", actual=strange, known=", ".join(JobStatus))
    return tuple(JobStatus(name) for name in names)


def _moment(query: Mapping[str, str], name: str, whole_day: timedelta) -> datetime | None:
    """Read a moment, or a day (in UTC); a last day counts whole."""
    text = query.get(name)
    if text is None:
        return None
    try:
        if len(text) == len("2026-01-31"):
            return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC) + whole_day
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        known = "days such as 2026-01-31 and moments such as 2026-01-31T09:30:00Z"
        raise UnknownFilter(what=f"value of {name}", actual=text, known=known) from None


def _flag(query: Mapping[str, str], name: str) -> bool | None:
    text = query.get(name)
    if text is None:
        return None
    if text not in _YES_OR_NO:
        raise UnknownFilter(what=f"value of {name}", actual=text, known=", ".join(_YES_OR_NO))
    return _YES_OR_NO[text]
