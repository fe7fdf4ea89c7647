"""Pipelines given as JSON: read whole, or refused with the place and the reason."""

from typing import Any

import pytest

from app.actions.draft import read_stages
from app.domain.errors import BadPipeline
from app.domain.pipeline import Condition, FailurePolicy, OnError, Stage


def test_a_pipeline_is_read_with_everything_it_says() -> None:
    document = {
        "stages": [
            {"plugin": "find"},
            {
                "id": "close",
                "plugin": "look",
                "options": {"zoom": 2},
                "needs": ["find"],
                "every": 3,
                "when": {"stage": "find", "label": "car", "min_confidence": 0.5},
                "device": "cuda:1",
                "on_error": "disable_stage",
                "max_error_rate": 0.1,
                "frame_timeout_s": 2,
            },
        ]
    }
    find, close = read_stages(document)
    assert find == Stage("find", "find")
    assert close == Stage(
        "close", "look", {"zoom": 2}, ("find",), 3, Condition("find", "car", 0.5), "cuda:1",
        FailurePolicy(OnError.DISABLE_STAGE, 0.1, 2.0),
    )  # fmt: skip


def test_stages_without_an_id_take_their_plugins_and_are_numbered() -> None:
    document = {"stages": [{"plugin": "a"}, {"plugin": "a", "id": "mine"}, {"plugin": "b"}, {"plugin": "a"}]}
    assert tuple(stage.id for stage in read_stages(document)) == ("a", "mine", "b", "a_3")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (None, "the document: "),
        ([], "the document: "),
        ({}, "stages: Field required"),
        ({"stages": []}, "stages: "),
        ({"stages": [{}]}, "stages.0.plugin: Field required"),
        ({"stages": [{"plugin": "a"}], "name": "x"}, "name: Extra inputs are not permitted"),
        ({"stages": [{"plugin": "a", "need": []}]}, "stages.0.need: Extra"),
        ({"stages": [{"plugin": "a", "id": "a b"}]}, "stages.0.id: "),
        ({"stages": [{"plugin": "a", "id": "../x"}]}, "stages.0.id: "),
        ({"stages": [{"plugin": "a", "every": 0}]}, "stages.0.every: "),
        ({"stages": [{"plugin": "a", "max_error_rate": 1.5}]}, "stages.0.max_error_rate: "),
        ({"stages": [{"plugin": "a", "frame_timeout_s": 0}]}, "stages.0.frame_timeout_s: "),
        ({"stages": [{"plugin": "a", "on_error": "shrug"}]}, "stages.0.on_error: "),
        ({"stages": [{"plugin": "a"}, {"plugin": "b", "when": {"stage": "a", "sure": 1}}]}, "stages.1.when.sure: "),
        ({"stages": [{"plugin": "a"}] * 33}, "stages: "),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_flaw_is_told_with_its_place_and_reason(document: Any, words: str) -> None:
    with pytest.raises(BadPipeline) as caught:
        read_stages(document)
    assert words in str(caught.value)


def test_every_flaw_of_a_document_is_told_not_only_the_first() -> None:
    document = {"stages": [{"id": "a b"}, {"plugin": "x", "every": 0, "zoom": 1}]}
    with pytest.raises(BadPipeline) as caught:
        read_stages(document)
    places = [problem.partition(":")[0] for problem in caught.value.facts["problems"]]
    assert places == ["stages.0.id", "stages.0.plugin", "stages.1.every", "stages.1.zoom"]
