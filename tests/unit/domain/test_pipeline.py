"""A pipeline that cannot be run cannot be built."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import BadPipeline
from app.domain.geometry import Box
from app.domain.output import EXAMPLES, Detection, Detections, Mask, Output, Text
from app.domain.pipeline import (
    MAX_STAGES,
    RESERVED_STAGES,
    Condition,
    Pipeline,
    Stage,
    arrange,
    find_problems,
    number_stage_ids,
)


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
    "stage", [Stage("b", "x", needs=("d",)), Stage("b", "x", when=Condition("d")), Stage("b", "x", needs=("a", "d"))]
)
def test_a_need_that_is_no_stage_is_refused(stage: Stage) -> None:
    assert "stage 'b' needs 'd', which is no stage of this pipeline (a, b)" in refusal(Stage("a", "x"), stage)


def test_a_stage_that_stands_before_what_it_needs_is_refused_and_arranged() -> None:
    stages = Stage("c", "x", needs=("b",)), Stage("d", "x"), Stage("b", "x", when=Condition("a")), Stage("a", "x")
    assert "stage 'c' stands before 'b', which it needs" in refusal(*stages)
    assert Pipeline(arrange(stages)).ids == ("d", "a", "b", "c")


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        ({"a": "a"}, "stage 'a' needs itself"),
        ({"a": "b", "b": "a"}, "the stages a → b → a need each other in a circle"),
        ({"a": "b", "b": "c", "c": "d", "d": "b"}, "the stages b → c → d → b need each other in a circle"),
    ],
)
def test_stages_that_need_each_other_in_a_circle_are_refused(needs: dict[str, str], said: str) -> None:
    assert said in refusal(*(Stage(name, "x", needs=(needs[name],)) for name in needs))
    assert said in refusal(*(Stage(name, "x", when=Condition(needs[name])) for name in needs))


def test_every_problem_is_told_not_only_the_first() -> None:
    with pytest.raises(BadPipeline) as caught:
        Pipeline((Stage("a", "x", needs=("z",)), Stage("a", "x"), Stage("decode", "x"), Stage("b", "x", needs=("b",))))
    problems = caught.value.facts["problems"]
    assert [problem.split(" ")[-1] for problem in problems] == ["'a'", "b)", "id", "itself"]
    assert all(problem in str(caught.value) for problem in problems)


@given(st.lists(st.sets(st.integers(0, 7)), min_size=1, max_size=8))
def test_what_can_be_put_in_order_is_and_what_cannot_is_a_circle(wanted: list[set[int]]) -> None:
    names = [f"s{number}" for number in range(len(wanted))]
    stages = [
        Stage(names[place], "x", needs=tuple(names[need] for need in sorted(needs) if need < len(names)))
        for place, needs in enumerate(wanted)
    ]
    if find_problems(stages):
        assert all("circle" in problem or "itself" in problem for problem in find_problems(stages))
    else:
        assert sorted(Pipeline(arrange(stages)).ids) == names


@pytest.mark.parametrize(
    ("output", "met", "missed"),
    [
        (EXAMPLES["detections"], Condition("a", "circle", 0.9), Condition("a", "square", 0.9)),
        (EXAMPLES["classification"], Condition("a", "street"), Condition("a", "square", 0.5)),
        (EXAMPLES["text"], Condition("a", "EXIT 12"), Condition("a", "EXIT")),
        (EXAMPLES["keypoints"], Condition("a", "left_eye", 0.99), Condition("a", "nose")),
        (EXAMPLES["mask"], Condition("a", "road"), Condition("a", "sky")),
        (EXAMPLES["measurements"], Condition("a"), Condition("b")),
        (Detections((Detection("circle", 0.97, Box(0, 0, 1, 1)),)), Condition("a"), Condition("a", min_confidence=0.98)),
        (Mask(("road", "sky"), 2, 1, (1, 2)), Condition("a", "road"), Condition("a", "sky")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_condition_is_met_by_what_was_found_and_by_nothing_else(output: Output, met: Condition, missed: Condition) -> None:
    assert met.holds({"a": output})
    assert not missed.holds({"a": output})


@pytest.mark.parametrize("nothing", [Detections(()), Mask(("road",), 2, 1, (0, 2)), Text(())])
def test_nothing_found_meets_no_condition(nothing: Output) -> None:
    assert not Condition("a").holds({"a": nothing})


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
