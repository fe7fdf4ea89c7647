"""The history: newest first, narrowed by words and status, a page at a time, friendly when empty."""

from pathlib import Path

import pytest

from app.domain.job import JobStatus
from app.store import jobs
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
    older = next(e["href"] for e in page.all("a") if e.text == "Older")
    page = Page(api.client.get(older).text)
    assert names(page) == ["first"]
    assert [e.text for e in page.all("a") if e.text in {"Newest", "Older"}] == ["Newest"]


def test_an_empty_history_says_how_to_fill_it(api: Api) -> None:
    assert "Start the first one" in Page(api.client.get("/jobs").text)["job-list"].text
    assert "Take away a word" in Page(api.client.get("/jobs?q=nothing").text)["job-list"].text
