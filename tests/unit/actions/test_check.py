"""A pipeline is checked whole before anything runs: every problem is told, a single one as what it is."""

import pytest

from app.actions.check import check_pipeline, complete_pipeline
from app.actions.draft import Draft, read_stages
from app.domain.errors import BadOption, BadPipeline, UnknownPlugin
from app.domain.media import SourceRef
from app.registry.discover import Catalogue


def test_stages_given_in_any_order_run_behind_what_they_need(catalogue: Catalogue) -> None:
    document = {
        "stages": [
            {"plugin": "shapes_dnn", "when": {"stage": "people", "label": "person"}},
            {"id": "people", "plugin": "people_hog"},
        ]
    }
    pipeline = check_pipeline(read_stages(document), catalogue)
    assert pipeline.ids == ("people", "shapes_dnn")
    assert pipeline.stages[0].options == catalogue.get("people_hog").defaults()


def test_a_single_problem_is_raised_as_what_it_is(catalogue: Catalogue) -> None:
    with pytest.raises(UnknownPlugin, match="There is no plugin 'nobody'"):
        check_pipeline(read_stages({"stages": [{"plugin": "nobody"}, {"plugin": "people_hog"}]}), catalogue)
    with pytest.raises(BadOption, match="'zoom'"):
        check_pipeline(read_stages({"stages": [{"plugin": "people_hog", "options": {"zoom": 1}}]}), catalogue)


def test_of_several_problems_every_one_is_told(catalogue: Catalogue) -> None:
    document = {
        "stages": [
            {"plugin": "nobody"},
            {"plugin": "people_hog", "options": {"zoom": 1}},
            {"plugin": "motion_mog2", "device": "tpu"},
            {"id": "a", "plugin": "people_hog", "needs": ["b", "gone"]},
            {"id": "b", "plugin": "people_hog", "needs": ["a"]},
            {"id": "c", "plugin": "people_hog", "every": 2, "when": {"stage": "c"}},
        ]
    }
    with pytest.raises(BadPipeline) as caught:
        check_pipeline(read_stages(document), catalogue, set_options={"d": {"max_width": 1}})
    told = caught.value.facts["problems"]
    wanted = ("'gone'", "needs itself", "a → b → a", "no plugin 'nobody'", "'zoom'", "'tpu'", "'d'")
    assert len(told) == len(wanted)
    assert all(any(word in problem for problem in told) for word in wanted)


def test_a_draft_of_no_plugins_is_no_pipeline(catalogue: Catalogue, source: SourceRef) -> None:
    with pytest.raises(BadPipeline, match="name at least one plugin"):
        complete_pipeline(Draft(source=source), catalogue)
