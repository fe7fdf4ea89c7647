"""What a person looks for among the jobs that are kept, and in which order they want to see them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.domain.job import JobStatus


class JobSort(StrEnum):
    """An order of jobs. `longest` goes by the time between start and end; jobs that have not ended come last."""

    NEWEST = "newest"
    OLDEST = "oldest"
    NAME = "name"
    LONGEST = "longest"


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs are wanted; what is left out narrows nothing.

    `q` is looked for in ids, names, tags and source names, whatever the case; `since` and `until` are moments of creation,
    `until` not included. `warnings` and `fallback` ask for jobs that have any, or (False) have none.
    """

    statuses: Collection[JobStatus] = ()
    plugin: str | None = None
    q: str | None = None
    tag: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    warnings: bool | None = None
    fallback: bool | None = None
