"""Saved pipelines: kept, replaced, listed and removed by their names, also by two at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.domain.errors import UnknownPipeline
from app.domain.pipeline import Condition, FailurePolicy, OnError, Pipeline, Stage
from app.store import pipelines
from app.store.engine import Store

WHOLE = Pipeline(
    (
        Stage("a", "x", {"n": 1, "words": ["p", "q"]}),
        Stage("b", "y", {}, ("a",), 3, Condition("a", "car", 0.5), "cpu", FailurePolicy(OnError.FAIL_JOB, 0.1, 2.0)),
    )
)


def test_a_pipeline_comes_back_as_it_was_saved(store: Store) -> None:
    with store.begin() as tx:
        saved, new = pipelines.put(tx, "one", WHOLE)
    assert (saved.name, saved.pipeline, new, saved.created_at) == ("one", WHOLE, True, saved.updated_at)
    with store.begin() as tx:
        again, new = pipelines.put(tx, "one", Pipeline(WHOLE.stages[:1]))
        assert (again.created_at, again.pipeline.ids, new) == (saved.created_at, ("a",), False)
        assert pipelines.get(tx, "one") == again


def test_two_who_save_one_name_at_once_leave_one_pipeline(store: Store) -> None:
    def save(_: int) -> bool:
        with store.begin() as tx:
            return pipelines.put(tx, "same", WHOLE)[1]

    with ThreadPoolExecutor(4) as threads:
        new = list(threads.map(save, range(8)))
    assert new.count(True) == 1
    with store.read() as tx:
        assert len(pipelines.page(tx)[0]) == 1


def test_a_name_nobody_saved_is_unknown_and_the_known_ones_are_told(store: Store) -> None:
    with store.begin() as tx:
        for number in range(22):
            pipelines.put(tx, f"p{number:02}", WHOLE)
        for ask in (pipelines.get, pipelines.delete):
            with pytest.raises(UnknownPipeline, match=r"'none'; the known ones are p00, .*, p19 and others"):
                ask(tx, "none")
        pipelines.delete(tx, "p00")
        assert [one.name for one in pipelines.page(tx, limit=2)[0]] == ["p01", "p02"]
