"""The history: newest first, narrowed by words and status, a page at a time, friendly when empty."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from app.domain.device import EXAMPLE_DECISION
from app.domain.job import JobStatus
from app.store import breakdowns, jobs
from app.web.pages import history
from tests.web.conftest import Api
from tests.web.html import Page


def names(page: Page) -> list[str]:
    """Names of the jobs listed, in order."""
    return [e.text for e in page.all("a") if e.attributes.get("class") == "row-name"]


@pytest.fixture
def three(api: Api, still: Path) -> list[str]:
    """Three jobs; the second is cancelled."""
    made = [str(api.submit(still, name=name).json()["id"]) for name in ("first", "second", "third")]
    with api.parts.store.begin() as tx:
        jobs.move(tx, made[1], JobStatus.CANCELLED)
    return made


def test_jobs_stand_newest_first_with_status_and_link(api: Api, three: list[str]) -> None:
    page = Page(api.client.get("/jobs").text)
    assert names(page) == ["third", "second", "first"]
    assert page[f"status-{three[1]}"].text == "Cancelled"
    assert page[f"status-{three[0]}"]["data-status"] == "queued"
    assert {e["href"] for e in page.all("a") if e.attributes.get("class") == "row-name"} == {f"/jobs/{j}" for j in three}
    assert {"connection-state", "pause-updates", "job-list"} <= set(page.by_id)


def test_words_and_status_narrow_the_list_and_stay_in_the_form(api: Api, three: list[str]) -> None:
    assert names(Page(api.client.get("/jobs?q=SECO").text)) == ["second"]
    page = Page(api.client.get("/jobs?status=queued&q=ir").text)
    assert names(page) == ["third", "first"]
    assert page["filter-words"]["value"] == "ir"
    assert [o["value"] for o in page.all("option") if "selected" in o] == ["queued"]


def test_older_jobs_are_on_the_next_page(api: Api, three: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_A_PAGE", 2)
    page = Page(api.client.get("/jobs?q=&status=").text)
    assert names(page) == ["third", "second"]
    older = next(e["href"] for e in page.all("a") if e.text == "More")
    page = Page(api.client.get(older).text)
    assert names(page) == ["first"]
    assert [e.text for e in page.all("a") if e.text in {"First page", "More"}] == ["First page"]


def test_an_empty_history_says_how_to_fill_it(api: Api) -> None:
    assert "Start the first one" in Page(api.client.get("/jobs").text)["job-list"].text
    assert "Take away a word" in Page(api.client.get("/jobs?q=nothing").text)["job-list"].text


def test_rarer_filters_and_the_order_narrow_the_list_and_stay_in_the_form(api: Api, three: list[str], still: Path) -> None:
    tagged = str(api.submit(still, name="fourth", tags="rain,night").json()["id"])
    with api.parts.store.begin() as tx:
        breakdowns.decide(tx, three[0], "people_hog", EXAMPLE_DECISION, "1")
    assert names(Page(api.client.get("/jobs?tag=rain").text)) == ["fourth"]
    assert names(Page(api.client.get("/jobs?fallback=true").text)) == ["first"]
    assert names(Page(api.client.get("/jobs?fallback=false&sort=name").text)) == ["fourth", "second", "third"]
    assert names(Page(api.client.get("/jobs?warnings=true").text)) == []
    assert names(Page(api.client.get("/jobs?until=2020-01-01").text)) == []
    page = Page(api.client.get("/jobs?plugin=people_hog&sort=oldest&since=2020-01-01").text)
    assert names(page) == ["first", "second", "third", "fourth"]
    assert {o["value"] for o in page.all("option") if "selected" in o} == {"people_hog", "oldest"}
    assert page["filter-since"]["value"] == "2020-01-01"
    assert [e["href"] for e in page.all("a") if e.text == "Clear the filters"] == ["/jobs"]
    assert [e.text for e in Page(api.client.get("/jobs").text).all("a", href="/jobs?tag=rain")] == ["rain"]
    assert "night" in {o["value"] for o in page.all("option")}
    assert tagged in {e["value"] for e in page.all("input") if e["name"] == "job"}


def test_every_job_has_a_small_picture_made_once(api: Api, three: list[str]) -> None:
    shown = [e["src"] for e in Page(api.client.get("/jobs").text).all("img")]
    assert shown == [f"/v1/jobs/{job}/thumbnail.jpg" for job in reversed(three)]
    first = api.client.get(shown[0])
    assert (first.status_code, first.headers["content-type"]) == (200, "image/jpeg")
    assert "immutable" in first.headers["cache-control"]
    picture = cv2.imdecode(np.frombuffer(first.content, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape[1] <= 192
    for upload in (api.home / "uploads").iterdir():
        upload.unlink()
    assert api.client.get(shown[0]).content == first.content
    assert api.client.get(shown[1]).status_code == 404
    assert api.client.get("/v1/jobs/nothing/thumbnail.jpg").status_code == 404
