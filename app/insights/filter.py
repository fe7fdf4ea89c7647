"""What a subscriber asks for: a channel, and which insights, how often."""

from dataclasses import dataclass
from typing import Final

from app.insights.reduction import Reduction
from app.insights.wire import JSON


@dataclass(frozen=True, slots=True)
class Filter:
    """What a subscriber wants: a channel, jobs and types (None for all), and at most `max_rate` latest values a second.

    The rate holds for each type and job by itself, never for facts. Insights of no job (usage) come with any jobs. With a
    `reduction` to some plugins, only jobs that run one of them are told of, and of their stages only those that do.
    """

    channel: str = JSON
    jobs: frozenset[str] | None = None
    types: frozenset[str] | None = None
    max_rate: float | None = None
    reduction: Reduction | None = None

    @property
    def one_job(self) -> str | None:
        """The job whose end is the end of the feed, where just one was asked for."""
        return next(iter(self.jobs)) if self.jobs is not None and len(self.jobs) == 1 else None

    @property
    def plugins(self) -> frozenset[str] | None:
        """The plugins it is about, None for all."""
        return self.reduction.plugins if self.reduction is not None else None

    def wants_job(self, job_id: str | None) -> bool:
        """Say whether insights of this job (None: of no job) are wanted."""
        return self.jobs is None or job_id is None or job_id in self.jobs


EVERYTHING: Final = Filter()
