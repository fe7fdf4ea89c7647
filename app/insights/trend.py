"""The metrics of a job's last moments, kept so that pages can draw how its speed has gone."""

from typing import Final

from app.domain.insight import Metrics

MOST: Final = 120


class Trends:
    """Keeps the newest metrics of each job, oldest first. Any thread may read: what it gets does not change any more."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: dict[str, tuple[Metrics, ...]] = {}

    def add(self, metrics: Metrics) -> None:
        """Take in the newest metrics of a job."""
        self._kept[metrics.job_id] = (*self._kept.get(metrics.job_id, ())[1 - self._most :], metrics)

    def of(self, job_id: str) -> tuple[Metrics, ...]:
        """Give what is kept of a job."""
        return self._kept.get(job_id, ())

    def forget(self, job_id: str) -> None:
        """Let go of a job."""
        self._kept.pop(job_id, None)
