"""The trend of a job: its newest metrics, oldest first, and no more than so many."""

import msgspec

from app.domain.insight import INSIGHT_EXAMPLES, Metrics
from app.insights.trend import Trends


def metrics(job_id: str, fps: float) -> Metrics:
    """Give metrics of a job with this speed."""
    example = INSIGHT_EXAMPLES["metrics"]
    assert isinstance(example, Metrics)
    return msgspec.structs.replace(example, job_id=job_id, fps=fps)


def test_the_newest_metrics_of_each_job_are_kept_oldest_first() -> None:
    trends = Trends(most=3)
    for fps in range(5):
        trends.add(metrics("a", float(fps)))
    trends.add(metrics("b", 9.0))
    assert [kept.fps for kept in trends.of("a")] == [2.0, 3.0, 4.0]
    assert [kept.fps for kept in trends.of("b")] == [9.0]


def test_what_was_read_does_not_change_and_what_is_forgotten_is_gone() -> None:
    trends = Trends(most=3)
    trends.add(metrics("a", 1.0))
    read = trends.of("a")
    trends.add(metrics("a", 2.0))
    assert len(read) == 1
    trends.forget("a")
    assert trends.of("a") == ()
