"""What a subscriber asks for: which jobs are wanted, and of which one the end is the end of the feed."""

import pytest

from app.insights.filter import EVERYTHING, Filter
from app.insights.reduction import Reduction


@pytest.mark.parametrize(
    ("jobs", "one_job"), [(None, None), (frozenset(), None), (frozenset({"a"}), "a"), (frozenset({"a", "b"}), None)]
)
def test_the_end_of_the_feed_is_that_of_the_one_job_asked_for(jobs: frozenset[str] | None, one_job: str | None) -> None:
    assert Filter(jobs=jobs).one_job == one_job


def test_insights_of_no_job_come_with_any_jobs() -> None:
    some = Filter(jobs=frozenset({"a"}))
    assert [some.wants_job(job_id) for job_id in ("a", "b", None)] == [True, False, True]
    assert [EVERYTHING.wants_job(job_id) for job_id in ("a", None)] == [True, True]


def test_plugins_are_those_of_the_reduction() -> None:
    assert EVERYTHING.plugins is None
    assert Filter(reduction=Reduction(frozenset({"hog"}))).plugins == {"hog"}


def test_a_filter_is_shared_and_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        EVERYTHING.max_rate = 1.0  # type: ignore[misc]  # that is what is tried
