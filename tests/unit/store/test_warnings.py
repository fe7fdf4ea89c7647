"""Warnings: counted by code and stage, told at powers of ten and once more at the end."""

from collections.abc import Callable
from typing import Any

import pytest

from app.domain.errors import UnknownJob
from app.domain.history import JobFilter
from app.domain.insight import Warned
from app.domain.job import Job, JobWarning
from app.store import facts, jobs, listing, warnings
from app.store.engine import Store


def warn(store: Store, count: int = 1, **other: Any) -> None:
    given: dict[str, Any] = {"code": "exception", "stage": "hog", "message": "ValueError: no contour"}
    with store.begin() as tx:
        warnings.warn(tx, "job-a", count=count, **(given | other))


def told(store: Store) -> list[Warned]:
    with store.read() as tx:
        return [fact for _, fact in facts.of_job(tx, "job-a") if isinstance(fact, Warned)]


def stored(store: Store) -> list[JobWarning]:
    with store.read() as tx:
        return warnings.of_job(tx, "job-a")


def test_a_warning_keeps_the_words_of_its_earliest_frame_and_the_widest_frames(store: Store, add: Callable[..., Job]):
    add()
    warn(store, message="later", detail="Traceback: later", first_frame_index=64, last_frame_index=70)
    warn(store, message="first", detail="Traceback: first", first_frame_index=3, last_frame_index=3)
    warn(store, message="between", detail="Traceback: between", first_frame_index=5, last_frame_index=6)
    warn(store, 4, message="third", first_frame_index=None, last_frame_index=None)
    (row,) = stored(store)
    assert (row.code, row.stage, row.message, row.detail) == ("exception", "hog", "first", "Traceback: first")
    assert (row.count, row.first_frame_index, row.last_frame_index) == (7, 3, 70)
    assert row.first_at < row.last_at


def test_warnings_of_another_code_stage_or_no_stage_are_counted_apart(store: Store, add: Callable[..., Job]):
    add()
    warn(store, 2)
    warn(store, 3, code="timeout")
    warn(store, 4, stage="mog2")
    warn(store, 5, stage=None)
    warn(store, 1, stage=None)
    assert [(row.code, row.stage, row.count) for row in stored(store)] == [
        ("exception", "hog", 2),
        ("timeout", "hog", 3),
        ("exception", "mog2", 4),
        ("exception", None, 6),
    ]
    assert told(store)[-1].stage is None


def test_a_warning_is_told_at_1_10_100_and_at_the_end(store: Store, add: Callable[..., Job]):
    add()
    for index in range(123):
        warn(store, first_frame_index=index, last_frame_index=index)
    assert [(fact.count, fact.frame_index) for fact in told(store)] == [(1, 0), (10, 9), (100, 99)]
    for _ in range(2):  # the second time nothing is left to tell
        with store.begin() as tx:
            warnings.tell_final(tx, "job-a")
    assert [(fact.count, fact.frame_index) for fact in told(store)][3:] == [(123, 122)]
    assert {(fact.code, fact.stage, fact.message) for fact in told(store)} == {("exception", "hog", "ValueError: no contour")}


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([9, 1], [9, 10]), ([5, 4], [5]), ([7, 200], [7, 207]), ([10, 89, 1], [10, 100]), ([1000, 8999, 1], [1000, 10_000])],
)
def test_counts_that_jump_are_told_once_when_they_reach_a_power_of_ten(
    store: Store, add: Callable[..., Job], counts: list[int], expected: list[int]
):
    add()
    for count in counts:
        warn(store, count)
    assert [fact.count for fact in told(store)] == expected


def test_a_count_told_already_is_not_told_again_at_the_end(store: Store, add: Callable[..., Job]):
    add()
    warn(store, 1)
    warn(store, 3, code="timeout")
    with store.begin() as tx:
        warnings.tell_final(tx, "job-a")
    assert len(told(store)) == 2


def test_a_warning_of_an_unknown_job_or_of_nothing_is_refused(store: Store, add: Callable[..., Job]):
    with pytest.raises(UnknownJob):
        warn(store)
    add()
    with pytest.raises(ValueError, match="count is 0, expected at least 1"):
        warn(store, 0)
    assert stored(store) == []


def test_what_no_database_can_keep_is_readable_where_it_stood(store: Store, add: Callable[..., Job]):
    add(name="a\0b", tags=("c\0d",))
    warn(store, message="half a pair \ud800", detail="NUL \0 in a traceback", first_frame_index=1)
    (row,) = stored(store)
    assert row.message.startswith("half a pair \ufffd")
    assert row.detail == "NUL \ufffd in a traceback"
    assert [fact.message for fact in told(store)] == [row.message]
    with store.read() as tx:
        assert jobs.get(tx, "job-a").name == "a\ufffdb"
        assert [job.id for job in listing.page(tx, JobFilter(q="a\0b"))[0]] == ["job-a"]
        assert listing.page(tx, JobFilter(plugin="\0", tag="\0"))[0] == []
        with pytest.raises(UnknownJob):
            jobs.get(tx, "\0")
