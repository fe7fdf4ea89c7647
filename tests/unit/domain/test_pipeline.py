"""A pipeline that cannot be run cannot be built."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import BadPipeline
from app.domain.pipeline import MAX_STAGES, RESERVED_STAGES, Condition, Pipeline, Stage, number_stage_ids


def refusal(*stages: Stage) -> str:
    with pytest.raises(BadPipeline) as caught:
        Pipeline(stages)
    return str(caught.value)


def test_stages_stand_behind_what_they_need() -> None:
    pipeline = Pipeline((Stage("a", "x"), Stage("b", "x", needs=("a",)), Stage("c", "y", when=Condition("b"))))
    assert pipeline.ids == ("a", "b", "c")


def test_a_pipeline_without_stages_is_refused() -> None:
    assert refusal() == "The pipeline cannot be run: it has no stages; name at least one plugin."


def test_too_many_stages_are_refused() -> None:
    stages = [Stage(f"s{number}", "x") for number in range(MAX_STAGES + 1)]
    assert len(Pipeline(tuple(stages[:-1])).stages) == MAX_STAGES
    assert "it has 33 stages, expected at most 32" in refusal(*stages)


def test_two_stages_with_one_id_are_refused() -> None:
    assert "two stages have the id 'a'" in refusal(Stage("a", "x"), Stage("a", "y"))


@pytest.mark.parametrize("name", sorted(RESERVED_STAGES))
def test_the_names_of_breakdown_rows_are_refused(name: str) -> None:
    assert f"{name!r} is the name of a breakdown row" in refusal(Stage(name, "x"))


@pytest.mark.parametrize(
    "stage", [Stage("b", "x", needs=("c",)), Stage("b", "x", needs=("b",)), Stage("b", "x", when=Condition("c"))]
)
def test_a_need_that_is_not_an_earlier_stage_is_refused(stage: Stage) -> None:
    needed = stage.needs[0] if stage.needs else stage.when.stage
    assert f"stage 'b' needs {needed!r}, which is not an earlier stage" in refusal(Stage("a", "x"), stage, Stage("c", "x"))


def test_a_pipeline_comes_back_from_json_as_it_was_and_a_bad_one_does_not() -> None:
    pipeline = Pipeline((Stage("a", "x", options={"n": 1}), Stage("b", "x", needs=("a",), when=Condition("a", "person", 0.5))))
    encoded = msgspec.json.encode(pipeline)
    assert msgspec.json.decode(encoded, type=Pipeline) == pipeline
    with pytest.raises(BadPipeline):
        msgspec.json.decode(b'{"stages":[]}', type=Pipeline)


def test_repeated_plugins_are_numbered_from_two_on() -> None:
    assert number_stage_ids(("hog", "mog", "hog", "hog")) == ("hog", "mog", "hog_2", "hog_3")


@given(st.lists(st.sampled_from(["a", "b", "a_2", "b_2", "a_2_2"])))
def test_default_ids_never_meet(plugins: list[str]) -> None:
    ids = number_stage_ids(tuple(plugins))
    assert len(ids) == len(plugins)
    assert len(set(ids)) == len(ids)
