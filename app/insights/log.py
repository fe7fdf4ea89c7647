"""The port FactLog, where facts are kept under their numbers, and its twin in memory."""

from collections.abc import Collection
from threading import Lock
from typing import Protocol

from app.domain.insight import Insight

NumberedFact = tuple[int, Insight]


class FactLog(Protocol):
    """Facts under the numbers the database gave them. Every method may block: call it in a thread."""

    def head(self) -> int:
        """Give the number of the newest fact, 0 when there never was one."""
        ...

    def oldest(self) -> int | None:
        """Give the number of the oldest fact still kept, None when there is none."""
        ...

    def after(self, last_id: int, job_ids: Collection[str] | None, limit: int) -> list[NumberedFact]:
        """Give at most `limit` facts numbered above `last_id`, in order: of these jobs, or of all jobs with None."""
        ...

    def before(self, number: int, job_ids: Collection[str] | None, limit: int) -> list[NumberedFact]:
        """Give at most `limit` facts numbered below `number`, newest first: of these jobs, or of all jobs with None."""
        ...


class MemoryFactLog:
    """A FactLog in memory, safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._facts: dict[int, Insight] = {}
        self._head = 0

    def append(self, insight: Insight) -> int:
        """Keep a fact and give its number."""
        with self._lock:
            self._head += 1
            self._facts[self._head] = insight
            return self._head

    def drop(self, job_id: str) -> None:
        """Let go of a job's facts; their numbers are never given again."""
        with self._lock:
            self._facts = {number: fact for number, fact in self._facts.items() if fact.job_id != job_id}

    def head(self) -> int:
        """Give the number of the newest fact, 0 when there never was one."""
        return self._head

    def oldest(self) -> int | None:
        """Give the number of the oldest fact still kept, None when there is none."""
        with self._lock:
            return next(iter(self._facts), None)

    def after(self, last_id: int, job_ids: Collection[str] | None, limit: int) -> list[NumberedFact]:
        """Give at most `limit` facts numbered above `last_id`, in order: of these jobs, or of all jobs with None."""
        with self._lock:
            wanted = [
                (number, fact)
                for number, fact in self._facts.items()
                if number > last_id and (job_ids is None or fact.job_id in job_ids)
            ]
        return wanted[:limit]

    def before(self, number: int, job_ids: Collection[str] | None, limit: int) -> list[NumberedFact]:
        """Give at most `limit` facts numbered below `number`, newest first: of these jobs, or of all jobs with None."""
        with self._lock:
            wanted = [
                (known, fact)
                for known, fact in reversed(self._facts.items())
                if known < number and (job_ids is None or fact.job_id in job_ids)
            ]
        return wanted[:limit]
