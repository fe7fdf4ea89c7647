"""The page of a job: every control in every state, the facts from the database, the buttons without scripts."""

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.domain.job import JobStatus
from app.store import jobs
from tests.promises.controls import PROMISED
from tests.sse import follow
from tests.web.conftest import Api, bring, tell_of_trouble
from tests.web.html import Page

SHOWN = {
    JobStatus.QUEUED: {"pause-job", "cancel-job"},
    JobStatus.RUNNING: {"pause-job", "cancel-job"},
    JobStatus.PAUSED: {"resume-job", "cancel-job"},
    JobStatus.FINALIZING: {"cancel-job"},
    JobStatus.COMPLETED: set(),
    JobStatus.COMPLETED_WITH_WARNINGS: set(),
    JobStatus.FAILED: {"retry-job"},
    JobStatus.CANCELLED: {"retry-job"},
}


@pytest.fixture
def job_id(api: Api, clip: Path) -> str:
    """A queued job on the clip with the square."""
    answer = api.submit(clip, name="Square <b>dance</b>")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.fixture
def read(api: Api) -> Callable[..., Page]:
    """Read a page that must answer 200."""

    def get(path: str) -> Page:
        answer = api.client.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 200, answer.text
        assert "None" not in answer.text
        assert "undefined" not in answer.text
        return Page(answer.text)

    return get


@pytest.mark.parametrize("status", list(JobStatus))
def test_every_control_is_there_in_every_state(api: Api, job_id: str, read: Callable[..., Page], status: JobStatus) -> None:
    bring(api, job_id, status)
    page = read(f"/jobs/{job_id}")
    assert [control for control in PROMISED["/jobs/{id}"] if control not in page.by_id] == []
    assert len(page.ids()) == len(set(page.ids()))
    assert page["job-status"]["data-status"] == status
    buttons = {"pause-job", "resume-job", "cancel-job", "retry-job"}
    assert {name for name in buttons if "disabled" not in page[name]} == SHOWN[status]
    assert {name for name in buttons if "hidden" not in page[name]} == SHOWN[status]
    assert ("feed-template" in page.by_id) is not status.ended
    assert page["connection-state"]["data-state"] == ("ended" if status.ended else "off")


def test_a_new_job_shows_its_first_frame_before_any_overlay(api: Api, job_id: str, read: Callable[..., Page]) -> None:
    page = read(f"/jobs/{job_id}")
    assert page["overlay-image"]["src"] == f"/v1/jobs/{job_id}/frames/0.jpg"
    assert (page["overlay-image"]["width"], page["overlay-image"]["height"]) == ("160", "120")
    picture = api.client.get(page["overlay-image"]["src"])
    assert picture.headers["content-type"] == "image/jpeg"
    assert page["overlay-boxes"]["viewbox"] == "0 0 160 120"
    assert "aria-valuenow" in page["progress-bar"]
    assert page["progress-bar"]["aria-valuetext"] == "0 %, 0 of 90 frames"


def test_an_ended_job_shows_the_stored_facts(api: Api, job_id: str, read: Callable[..., Page]) -> None:
    tell_of_trouble(api.parts, job_id, "people_hog")
    api.work_off(job_id, to=JobStatus.COMPLETED_WITH_WARNINGS)
    page = read(f"/jobs/{job_id}")
    assert page["progress-bar"]["aria-valuenow"] == "100"
    assert "Completed with warnings" in page["job-status"].text
    warning = page["warning-exception-people_hog"]
    assert "ValueError: no contour" in warning.text
    assert "once" in warning.text
    assert "on frame 3" in warning.text
    assert "Traceback" in warning.text
    decision = page["decision-people_hog"]
    assert "Fell back to CPU" in decision.text
    assert "built without CUDA" in decision.text
    assert "not_built" in decision.text
    assert len([e for e in page.all("details") if e.within("decision-people_hog")]) == 1
    assert "Degraded" in page["health-people_hog"].text
    assert "people 3" in page["inspect-people_hog"].text
    shares = [e for e in page.all("rect") if e.within("job-breakdown") and e.attributes.get("class") == "bar-fill"]
    assert float(shares[0]["width"]) == 100
    assert "1.5 ms" in page["job-breakdown"].text


def test_the_boxes_of_a_chosen_frame_are_those_that_are_stored(api: Api, job_id: str, read: Callable[..., Page]) -> None:
    api.work_off(job_id)
    page = read(f"/jobs/{job_id}?frame=7")
    assert page["overlay-image"]["src"].endswith("/frames/7.jpg")
    marks = [e for e in page.all("g") if e.within("overlay-boxes") and "aria-label" in e]
    assert [mark["aria-label"] for mark in marks] == ["people_hog: circle #4 97 %", "people_hog: square 88 %"]
    assert {mark["tabindex"] for mark in marks} == {"0"}
    boxes = [e for e in page.all("rect") if e.within("overlay-boxes")]
    assert [(b["x"], b["y"], b["width"], b["height"]) for b in boxes] == [("32", "36", "16", "18"), ("96", "12", "32", "24")]
    assert "Frame 7: 2 things found" in page["found-people_hog"].text


def test_a_frame_beyond_the_end_shows_the_last_one(api: Api, job_id: str, read: Callable[..., Page]) -> None:
    api.work_off(job_id)
    assert read(f"/jobs/{job_id}?frame=5000")["overlay-image"]["src"].endswith("/frames/89.jpg")


def test_words_of_a_person_are_no_markup(api: Api, job_id: str) -> None:
    text = api.client.get(f"/jobs/{job_id}").text
    assert "<b>dance</b>" not in text
    assert "Square &lt;b&gt;dance&lt;/b&gt;" in text


@pytest.mark.parametrize(
    ("verb", "before", "after"),
    [("cancel", None, "cancelled"), ("pause", None, "paused"), ("resume", JobStatus.PAUSED, "queued"),
     ("retry", JobStatus.FAILED, "queued")],
)  # fmt: skip
def test_a_button_works_without_scripts(  # noqa: PLR0917 two fixtures of every page test and what the button does
    api: Api, job_id: str, read: Callable[..., Page], verb: str, before: JobStatus | None, after: str
) -> None:
    if before:
        bring(api, job_id, before)
    answer = api.client.post(f"/jobs/{job_id}/{verb}", headers={"Accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/jobs/{job_id}"
    assert read(answer.headers["location"])["job-status"]["data-status"] == after


def test_an_ended_job_can_be_deleted_by_its_button(api: Api, job_id: str) -> None:
    bring(api, job_id, JobStatus.CANCELLED)
    answer = api.client.post(f"/jobs/{job_id}/delete")
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs")
    assert api.client.get(f"/jobs/{job_id}").status_code == 404


def explained(answer: httpx.Response, status: int) -> str:
    """Check that an answer is a page for a person, and give its words."""
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    return Page(answer.text)["main"].text


@pytest.mark.parametrize(("method", "path", "status", "words"), [
    ("GET", "/jobs/nope", 404, "There is no job 'nope'"),
    ("GET", "/plugins/nope", 404, "There is no plugin 'nope'"),
    ("GET", "/jobs?status=sleeping", 400, "the known ones are queued"),
    ("GET", "/jobs?cursor=garbage", 400, "cursor"),
    ("GET", "/nowhere", 404, "nowhere"),
])  # fmt: skip
def test_what_is_not_there_is_explained_on_a_page(api: Api, method: str, path: str, status: int, words: str) -> None:
    told = explained(api.client.request(method, path, headers={"Accept": "text/html"}), status)
    assert words in told
    assert "New job" in told


def test_a_button_that_does_not_apply_is_refused_on_a_page(api: Api, job_id: str) -> None:
    bring(api, job_id, JobStatus.COMPLETED)
    told = explained(api.client.post(f"/jobs/{job_id}/pause", headers={"Accept": "text/html"}), 409)
    assert "is completed" in told


def test_a_frame_that_is_no_number_is_refused_on_a_page(api: Api, job_id: str) -> None:
    told = explained(api.client.get(f"/jobs/{job_id}?frame=x", headers={"Accept": "text/html"}), 400)
    assert "whole numbers" in told


def test_the_breakdown_can_be_had_alone(api: Api, job_id: str, read: Callable[..., Any]) -> None:
    api.work_off(job_id)
    page = read(f"/jobs/{job_id}/breakdown")
    assert [e["id"] for e in page.elements if e.tag == "section"] == ["job-breakdown"]


@pytest.mark.parametrize("path", ["/jobs/{}", "/", "/jobs"])
def test_what_happens_between_the_page_and_its_connection_is_told(api: Api, job_id: str, path: str) -> None:
    page = api.client.get(path.format(job_id)).text
    address = html.unescape(re.findall(r'hx-sse:connect="([^"]*)"', page)[0])
    with api.parts.store.begin() as tx:
        jobs.move(tx, job_id, JobStatus.RUNNING)
    with follow(api.url + address) as stream:
        head, told = stream.until(lambda event: "Running" in event.data)
        assert head.id == told.id == 2
