"""Saved pipelines on the pages: a job's is saved, a new job takes it, and it is deleted, all without scripts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.web.conftest import Api
from tests.web.html import Page

FORM = {"Accept": "text/html"}


@pytest.fixture
def saved(api: Api, clip: Path) -> str:
    """The name of a pipeline that was saved from a job's page."""
    job = api.submit(clip, plugins="motion_mog2,people_hog").json()
    assert "save-pipeline" in Page(api.client.get(f"/jobs/{job['id']}").text).by_id
    answer = api.client.post(f"/jobs/{job['id']}/pipeline", data={"name": "street"}, headers=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, "/?pipeline=street")
    return "street"


def test_a_pipeline_saved_from_a_job_is_taken_for_a_new_one(api: Api, clip: Path, saved: str) -> None:
    page = Page(api.client.get(f"/?pipeline={saved}").text)
    assert "motion_mog2 → people_hog" in page["pipeline-picker"].text
    assert "checked" in page[f"take-{saved}"]
    assert "checked" not in page["take-none"]
    with clip.open("rb") as file:
        answer = api.client.post(
            "/jobs", files={"file": (clip.name, file)}, data={"pipeline": saved, "device": "auto"}, headers=FORM
        )
    assert answer.status_code == 303
    job = api.client.get(f"/v1{answer.headers['location']}").json()
    assert [stage["id"] for stage in job["pipeline"]["stages"]] == ["motion_mog2", "people_hog"]


def test_a_pipeline_and_plugins_at_once_are_explained_and_both_choices_kept(api: Api, clip: Path, saved: str) -> None:
    with clip.open("rb") as file:
        fields = {"pipeline": saved, "plugins": ["people_hog"], "device": "auto"}
        answer = api.client.post("/jobs", files={"file": (clip.name, file)}, data=fields, headers=FORM)
    page = Page(answer.text)
    assert answer.status_code == 422
    assert "Either take the saved pipeline, or pick plugins." in page["form-problem"].text
    assert "checked" in page[f"take-{saved}"]
    assert "checked" in page["pick-people_hog"]


def test_a_saved_pipeline_is_deleted_from_the_page(api: Api, saved: str) -> None:
    page = Page(api.client.get("/").text)
    (button,) = page.all("button", form="delete-pipeline")
    answer = api.client.post("/pipelines/delete", data={button["name"]: button["value"]}, headers=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "pipeline-picker" not in Page(api.client.get("/").text).by_id


def test_a_job_tells_what_each_stage_waits_for(api: Api, clip: Path) -> None:
    when = {"stage": "motion_mog2", "label": "motion", "min_confidence": 0.5}
    stages = [{"plugin": "motion_mog2"}, {"plugin": "people_hog", "when": when}, {"id": "b", "plugin": "people_hog",
              "when": {"stage": "motion_mog2"}}]  # fmt: skip
    job = api.submit(clip, plugins="", pipeline=json.dumps({"stages": stages})).json()
    told = api.client.get(f"/jobs/{job['id']}").text
    assert "motion_mog2 found motion, at least 50 % sure" in told
    assert "motion_mog2 found something" in told


def test_a_bad_name_is_explained(api: Api, clip: Path) -> None:
    job = api.submit(clip).json()
    answer = api.client.post(f"/jobs/{job['id']}/pipeline", data={"name": "no good"}, headers=FORM)
    assert answer.status_code == 422
    assert "letters, digits" in answer.text


def test_the_form_sends_the_saved_pipeline_with_scripts_on(
    api: Api, saved: str, clip: Path, open_page: Callable[..., Any]
) -> None:
    page = open_page(api.url)
    page.check(f"#take-{saved}")
    page.set_input_files("#source-input", clip)
    page.click("#submit-job")
    page.wait_for_url("**/jobs/*", wait_until="domcontentloaded")
    newest = api.client.get("/v1/jobs").json()["items"][0]
    assert page.url.endswith(newest["id"])
    assert [stage["id"] for stage in newest["pipeline"]["stages"]] == ["motion_mog2", "people_hog"]
