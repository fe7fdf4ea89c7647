"""The start page: a job from the form with scripts off, refusals that keep what was chosen, the jobs that run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.domain.job import JobStatus
from app.store import jobs
from tests.web.conftest import Api
from tests.web.html import Page

CONTROLS = [
    "new-job-form",
    "source-input",
    "plugin-picker",
    "device-selector",
    "submit-job",
    "job-list",
    "connection-state",
    "pause-updates",
]


def send(api: Api, name: str, content: bytes, **fields: Any) -> httpx.Response:
    """Send the form as a browser without scripts does: fields first, the file after them."""
    return api.client.post("/jobs", data=fields, files={"file": (name, content)}, headers={"Accept": "text/html"})


def test_every_control_is_on_the_page(api: Api) -> None:
    page = Page(api.client.get("/").text)
    assert [control for control in CONTROLS if control not in page.by_id] == []
    form = page["new-job-form"]
    assert (form["method"], form["action"], form["enctype"]) == ("post", "/jobs", "multipart/form-data")
    assert page.all("input", type="file")[0]["name"] == "file"


def test_each_plugin_says_what_it_does_and_what_it_promises(api: Api) -> None:
    page = Page(api.client.get("/").text)
    told = page["plugin-picker"].text
    found = api.parts.catalogue.found
    assert {"people_hog", "motion_mog2", "shapes_dnn"} <= set(found)
    for plugin_id in found:
        assert api.parts.catalogue.get(plugin_id).description in told
    assert {box["value"] for box in page.all("input", type="checkbox")} == set(found)
    assert "≤ 250 ms" in told
    assert "detect" in told


def test_the_form_makes_a_job_without_scripts(api: Api, clip: Path) -> None:
    answer = send(api, "square.mp4", clip.read_bytes(), plugins=["people_hog", "motion_mog2"], device="cpu")
    assert answer.status_code == 303
    job_id = answer.headers["location"].removeprefix("/jobs/")
    with api.parts.store.read() as tx:
        job = jobs.get(tx, job_id)
    assert job.pipeline.ids == ("people_hog", "motion_mog2")
    assert job.device_requested == "cpu"
    assert api.client.get(answer.headers["location"]).status_code == 200


@pytest.mark.parametrize(
    ("name", "content", "status", "words"),
    [
        ("notes.mp4", b"just words\n" * 50, 422, "notes.mp4 cannot be read"),
        ("empty.mp4", b"", 422, "empty.mp4"),
        ("big.mp4", b"x" * 3_100_000, 413, "larger than the limit of 2 MB"),
    ],
)
def test_what_cannot_be_taken_is_explained_and_the_choices_are_kept(
    api: Api, name: str, content: bytes, status: int, words: str
) -> None:
    answer = send(api, name, content, plugins=["motion_mog2"], device="opencl")
    assert answer.status_code == status
    page = Page(answer.text)
    assert words in page["form-problem"].text
    assert "hidden" not in page["form-problem"]
    if status != 413:  # a body announced as too large is refused before anything of it is read
        assert "checked" in page["pick-motion_mog2"]
        assert [o["value"] for o in page.all("option") if "selected" in o] == ["opencl"]
    assert "checked" not in page["pick-people_hog"]
    assert api.stored_jobs() == 0
    assert api.left_on_disk() == []


def test_a_form_without_a_plugin_says_to_pick_one(api: Api, clip: Path) -> None:
    answer = send(api, "square.mp4", clip.read_bytes(), device="auto")
    assert answer.status_code == 422
    assert "Pick at least one plugin" in Page(answer.text)["form-problem"].text


def test_a_form_without_a_file_says_to_choose_one(api: Api) -> None:
    boundary = "between"  # a browser sends an empty file control as a file with neither name nor bytes
    part = '--between\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n{}\r\n'
    body = part.format("plugins", "", "motion_mog2") + part.format("file", '; filename=""', "") + "--between--\r\n"
    kind = f"multipart/form-data; boundary={boundary}"
    answer = api.client.post("/jobs", content=body, headers={"Accept": "text/html", "Content-Type": kind})
    assert answer.status_code == 422
    assert "Choose a video or an image." in Page(answer.text)["form-problem"].text
    assert "checked" in Page(answer.text)["pick-motion_mog2"]


def test_a_full_queue_is_explained_on_the_form(start_api: Callable[..., Api], clip: Path) -> None:
    api = start_api(max_queued_jobs=1)
    assert send(api, "a.mp4", clip.read_bytes(), plugins=["motion_mog2"]).status_code == 303
    answer = send(api, "b.mp4", clip.read_bytes(), plugins=["motion_mog2"])
    assert answer.status_code == 429
    assert "waiting already" in Page(answer.text)["form-problem"].text


def test_a_plugin_named_in_the_address_is_picked(api: Api) -> None:
    page = Page(api.client.get("/?plugin=motion_mog2").text)
    assert [b["value"] for b in page.all("input", type="checkbox") if "checked" in b] == ["motion_mog2"]


def test_only_jobs_that_have_not_ended_are_listed(api: Api, clip: Path) -> None:
    waiting, ended = (api.submit(clip, name=name).json()["id"] for name in ("still waiting", "long gone"))
    with api.parts.store.begin() as tx:
        jobs.move(tx, ended, JobStatus.CANCELLED)
    page = Page(api.client.get("/").text)
    assert "still waiting" in page["job-list"].text
    assert "long gone" not in page["job-list"].text
    assert f"job-{waiting}" in page.by_id


def test_an_empty_list_says_what_to_do_next(api: Api) -> None:
    assert "Start a job with the form" in Page(api.client.get("/").text)["job-list"].text
