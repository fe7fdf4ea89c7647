"""Saved pipelines over the API: saved by name, listed in pages, used for jobs, replaced, deleted."""

from pathlib import Path
from typing import Any

import pytest

from tests.web.conftest import Api, problem

STAGES = [
    {"plugin": "motion_mog2"},
    {"id": "people", "plugin": "people_hog", "options": {"min_confidence": 0.25}, "when": {"stage": "motion_mog2"}},
]


def save(api: Api, name: str = "street", *stages: dict[str, Any]) -> Any:
    return api.client.put(f"/v1/pipelines/{name}", json={"stages": stages or STAGES})


def test_a_pipeline_is_saved_shown_replaced_and_deleted_by_its_name(api: Api) -> None:
    new = save(api)
    assert (new.status_code, new.headers["location"]) == (201, "/v1/pipelines/street")
    shown = api.client.get("/v1/pipelines/street").json()
    assert shown == new.json()
    assert [stage["id"] for stage in shown["pipeline"]["stages"]] == ["motion_mog2", "people"]
    assert shown["pipeline"]["stages"][1]["options"] == {"min_confidence": 0.25}
    again = api.client.put("/v1/pipelines/street", json=shown["pipeline"])
    assert (again.status_code, again.json()["pipeline"]) == (200, shown["pipeline"])
    replaced = save(api, "street", {"plugin": "people_hog"})
    assert (replaced.status_code, replaced.json()["created_at"]) == (200, shown["created_at"])
    assert replaced.json()["updated_at"] > shown["updated_at"]
    assert api.client.delete("/v1/pipelines/street").status_code == 204
    for answer in (api.client.get("/v1/pipelines/street"), api.client.delete("/v1/pipelines/street")):
        assert problem(answer, 404)["detail"] == "There is no saved pipeline 'street'; the known ones are none."


def test_saved_pipelines_are_listed_in_the_order_of_their_names_page_by_page(api: Api) -> None:
    assert api.client.get("/v1/pipelines").json() == {"items": [], "next_cursor": None}
    for name in ("c", "a", "b"):
        save(api, name)
    first = api.client.get("/v1/pipelines?limit=2").json()
    assert [item["name"] for item in first["items"]] == ["a", "b"]
    rest = api.client.get(f"/v1/pipelines?limit=2&cursor={first['next_cursor']}").json()
    assert ([item["name"] for item in rest["items"]], rest["next_cursor"]) == (["c"], None)


def test_a_job_may_name_a_saved_pipeline_in_a_form_and_in_json(api: Api, still: Path) -> None:
    save(api)
    job = api.submit(still, plugins="", pipeline="street")
    assert job.status_code == 201, job.text
    stages = job.json()["pipeline"]["stages"]
    assert [stage["id"] for stage in stages] == ["motion_mog2", "people"]
    full = api.parts.catalogue.get("people_hog").defaults() | {"min_confidence": 0.25}
    assert stages[1]["options"] == full
    assert stages[1]["when"] == {"stage": "motion_mog2", "label": None, "min_confidence": 0.0}
    api.client.delete("/v1/pipelines/street")
    assert api.client.get(f"/v1/jobs/{job.json()['id']}").json()["pipeline"]["stages"] == stages
    refused = api.client.post("/v1/jobs", json={"source": {"path": "/x.mp4"}, "pipeline": "street"})
    assert problem(refused, 422)["type"] in {"/problems/unknown-pipeline", "/problems/unsupported-source"}
    assert problem(api.submit(still, plugins="", pipeline="street"), 422)["type"] == "/problems/unknown-pipeline"
    assert api.stored_jobs() == 1


@pytest.mark.parametrize(
    ("name", "body", "status", "word"),
    [
        ("a b", {"stages": STAGES}, 422, "letters, digits"),
        (".hidden", {"stages": STAGES}, 422, "beginning with"),
        ("x" * 65, {"stages": STAGES}, 422, "1 to 64"),
        ("x", {"stages": []}, 422, "stages"),
        ("x", {"stages": [{"plugin": "nobody"}]}, 422, "no plugin 'nobody'"),
        ("x", {"stages": [{"plugin": "people_hog", "needs": ["y"]}]}, 422, "'y'"),
        ("x", [], 422, "the document"),
    ],
)
def test_what_could_not_run_is_not_saved(api: Api, name: str, body: Any, status: int, word: str) -> None:
    assert word in problem(api.client.put(f"/v1/pipelines/{name}", json=body), status)["detail"]
    assert api.client.get("/v1/pipelines").json()["items"] == []


def test_a_body_that_is_no_json_is_not_saved(api: Api) -> None:
    broken = api.client.put("/v1/pipelines/x", content=b"{", headers={"content-type": "application/json"})
    assert problem(broken, 400)["type"] == "/problems/malformed-body"
    assert problem(api.client.put("/v1/pipelines/x", data={"a": "b"}), 415)["type"] == "/problems/unsupported-body"


def test_every_problem_of_a_pipeline_is_told_by_itself_too(api: Api) -> None:
    answer = save(api, "x", {"plugin": "people_hog", "needs": ["a", "b"]}, {"plugin": "nobody"})
    told = problem(answer, 422)
    assert len(told["problems"]) == 3
    assert all(one in told["detail"] for one in told["problems"])
