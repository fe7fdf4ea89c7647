"""What happened before a connection was made, read from the log and the store in threads."""

from collections.abc import AsyncGenerator, Callable, Collection, Iterable
from typing import Final

from anyio import to_thread

from app.domain.insight import Insight, Status
from app.insights.log import FactLog, NumberedFact

PAGE: Final = 1000  # facts read at once

LatestOf = Callable[[str], list[Insight]]
OpenJobs = Callable[[], Iterable[str]]


class Past:
    """Reads facts, the jobs that have not ended, and a job's stored latest values; never blocks the loop."""

    def __init__(self, log: FactLog, latest_of: LatestOf | None, open_jobs: OpenJobs | None) -> None:
        self._log = log
        self._latest_of = latest_of
        self._open_jobs = open_jobs or self._open_by_log

    async def head(self) -> int:
        """Give the number of the newest fact, 0 when there never was one."""
        return await to_thread.run_sync(self._log.head)

    async def oldest(self) -> int | None:
        """Give the number of the oldest fact still kept."""
        return await to_thread.run_sync(self._log.oldest)

    async def page(self, after: int, job_ids: Collection[str] | None = None) -> list[NumberedFact]:
        """Give the next facts of these jobs (None: of all) numbered above `after`; fewer than PAGE are the last there are."""
        return await to_thread.run_sync(self._log.after, after, job_ids, PAGE)

    async def page_before(self, number: int, job_ids: Collection[str] | None) -> list[NumberedFact]:
        """Give the last facts of these jobs (None: of all) numbered below `number`, newest first."""
        return await to_thread.run_sync(self._log.before, number, job_ids, PAGE)

    async def pages(self, job_ids: Collection[str] | None, after: int, upto: int) -> AsyncGenerator[list[NumberedFact], None]:
        """Give the facts of these jobs (None: of all) numbered above `after` and up to `upto`, some at a time."""
        if job_ids is not None and not job_ids:
            return
        while after < upto:
            page = await self.page(after, job_ids)
            if wanted := [fact for fact in page if fact[0] <= upto]:
                yield wanted
            if len(page) < PAGE:
                return
            after = page[-1][0]

    async def open_jobs(self) -> frozenset[str]:
        """Give the ids of the jobs that have not ended."""
        return frozenset(await to_thread.run_sync(self._open_jobs))

    async def latest_of(self, job_ids: Collection[str]) -> list[Insight]:
        """Give what the store knows of these jobs' latest values."""
        if self._latest_of is None or not job_ids:
            return []
        read = self._latest_of

        def read_all() -> list[Insight]:
            return [insight for job_id in sorted(job_ids) for insight in read(job_id)]

        return await to_thread.run_sync(read_all)

    def _open_by_log(self) -> set[str]:
        """Find the jobs that have not ended from their status facts alone, for a hub that was not told how to ask."""
        found: set[str] = set()
        page = self._log.after(0, None, PAGE)
        while page:
            for _, fact in page:
                if isinstance(fact, Status):
                    (found.discard if fact.status.ended else found.add)(fact.job_id)
            page = self._log.after(page[-1][0], None, PAGE)
        return found
