"""What holds for every page: links lead somewhere, no word of the machinery shows, the policy is strict, it is light."""

import gzip
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from app.domain.job import JobStatus
from tests.postgres import KEPT
from tests.web.conftest import Api, serve, tell_of_trouble
from tests.web.html import Page

HTML = {"accept": "text/html"}
MOST_BYTES = 120_000  # of a page with its styles and scripts, compressed, without pictures
MACHINERY = re.compile(r"\b(undefined|None|nan|NaN|null|Traceback|object at 0x|\[object )\b|\{\{|\}\}")
POLICY = {"default-src 'self'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"}
STATES = (JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_WARNINGS, JobStatus.FAILED, JobStatus.CANCELLED, None)


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Iterator[Api]:
    """A server with a job of each state, trouble, a saved pipeline, tags, and a very long name."""
    with serve(tmp_path_factory.mktemp("lived") / "home") as api:
        for number, state in enumerate(STATES):
            name = "Kreuzung & Übergang <3> " * 8 if number == 1 else f"job {number}"
            job = api.submit(clip, name=name, tags="street,night" if number % 2 else "").json()
            api.work_off(job["id"], most=None if state and state.succeeded else 1, to=state)
            if number in {1, 2}:
                tell_of_trouble(api.parts, job["id"], "people_hog")
        assert api.submit(clip, name="waits").status_code == 201
        pipeline = {"stages": [{"plugin": "people_hog"}, {"plugin": "motion_mog2"}]}
        assert api.client.put("/v1/pipelines/street", json=pipeline).is_success
        yield api


def links_of(page: Page) -> Iterator[str]:
    """Give every address a page leads to, or has something from."""
    for element in page.elements:
        for name in ("href", "src", "data-src", "poster"):
            if element.attributes.get(name):
                yield element[name]
        if element.tag == "form" and element.attributes.get("method", "get") == "get":
            yield element["action"]


@pytest.fixture(scope="module")
def crawled(lived_in: Api) -> dict[str, httpx.Response]:
    """Every answer that can be reached by links from the start page, by path; one frame and one story are enough."""
    answers: dict[str, httpx.Response] = {}
    waiting, seen = ["/", "/compare", "/sign-in"], set[str]()
    while waiting:
        address = waiting.pop()
        alike = re.sub(r"frame=\d+|^/v1/jobs/.*\.jpg|^/stories/.*", "one of many", address)
        if alike in seen:
            continue
        seen.add(alike)
        answer = lived_in.client.get(address, headers=HTML)
        answers[address] = answer
        if "text/html" in answer.headers.get("content-type", "") and answer.status_code < 400:
            text = re.sub(r'<div class="stage-set">.*', "", answer.text, flags=re.DOTALL)  # a story's jobs are made up
            for link in links_of(Page(text)):
                to = urlsplit(urljoin(f"{lived_in.url}{address}", link))
                if f"{to.scheme}://{to.netloc}" == lived_in.url:
                    waiting.append(f"{to.path}?{to.query}" if to.query else to.path)
    return answers


def pages_of(answers: dict[str, httpx.Response]) -> dict[str, httpx.Response]:
    """Keep the pages."""
    return {path: answer for path, answer in answers.items() if "text/html" in answer.headers.get("content-type", "")}


def test_no_link_leads_to_an_error(crawled: dict[str, httpx.Response]) -> None:
    assert len(pages_of(crawled)) >= 20
    assert {path: answer.status_code for path, answer in crawled.items() if answer.status_code >= 400} == {}


def test_no_page_shows_the_machinery(crawled: dict[str, httpx.Response]) -> None:
    flaws = []
    for path, answer in pages_of(crawled).items():
        seen = re.sub(r"<pre\b.*?</pre>|<[^>]*>", " ", answer.text, flags=re.DOTALL)
        spoken = (e[name] for e in Page(answer.text).elements for name in ("alt", "title", "aria-label") if name in e)
        for text in (seen, *spoken):
            flaws += [f"{path}: {text[max(0, m.start() - 40) : m.end() + 40]!r}" for m in MACHINERY.finditer(text)]
    assert flaws == []


def test_every_page_keeps_the_strict_policy(crawled: dict[str, httpx.Response]) -> None:
    for path, answer in pages_of(crawled).items():
        rules = {rule.strip() for rule in answer.headers["content-security-policy"].split(";")}
        assert rules >= POLICY, path
        assert not [rule for rule in rules if "unsafe" in rule or "*" in rule], path
        page = Page(answer.text)
        assert [e.tag for e in page.elements if "style" in e or any(n.startswith("on") for n in e.attributes)] == [], path
        assert [e for e in page.all("script") if "src" not in e and e.attributes.get("type") != "application/json"] == [], path
        assert page.all("style") == [], path


def test_every_page_with_its_styles_and_scripts_is_light(lived_in: Api, crawled: dict[str, httpx.Response]) -> None:
    sizes: dict[str, int] = {}

    def size(address: str) -> int:
        if address not in sizes:
            sizes[address] = len(gzip.compress(lived_in.client.get(address).content, 6))
        return sizes[address]

    weights = {}
    for path, answer in pages_of(crawled).items():
        page = Page(answer.text)
        parts = {e["src"] for e in page.all("script")} | {e["href"] for e in page.all("link") if e["rel"] == "stylesheet"}
        parts |= {e["href"].partition("#")[0] for e in page.all("use")}
        weights[path] = len(gzip.compress(answer.content, 4)) + sum(size(part) for part in parts if part)
    assert {path: weight for path, weight in weights.items() if weight > MOST_BYTES} == {}


def test_every_page_is_sent_compressed(lived_in: Api) -> None:
    for path in ("/", "/stories", "/static/vendor/htmx.min.js", "/static/css/components.css"):
        assert lived_in.client.get(path).headers.get("content-encoding") == "gzip", path


def friendly(answer: httpx.Response, status: int) -> str:
    """Check that an answer is a page a person can go on from; give its words."""
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    page = Page(answer.text)
    assert page["main"].text
    assert len(page.all("a")) >= 5
    assert not re.search(r"Traceback|Error:|\bException\b", answer.text)
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    return page["main"].text


def test_what_is_not_there_is_told_with_ways_to_go_on(lived_in: Api) -> None:
    for path in ("/nowhere", "/jobs/019b7d2f4a6e3c51", "/plugins/none", "/stories/none", "/compare?job=a&job=b"):
        assert "New job" in friendly(lived_in.client.get(path, headers=HTML), 404), path


def test_what_cannot_be_taken_is_told_in_the_form(lived_in: Api, tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("just words\n" * 50)
    with (tmp_path / "notes.mp4").open("rb") as file:
        answer = lived_in.client.post(
            "/jobs",
            files={"file": ("notes.mp4", file)},
            data={"plugins": "people_hog"},
            headers={**HTML, "origin": lived_in.url},
        )
    words = friendly(answer, 422)
    assert "notes.mp4 cannot be read" in words
    assert "Choose a video or an image that plays on your own machine." in words


def test_a_database_that_went_away_is_told_as_a_page(start_api: Callable[..., Api]) -> None:
    api = start_api()
    api.parts.store.close()
    KEPT.lose(api.home)
    words = friendly(api.client.get("/jobs", headers=HTML), 503)
    assert "Try again in a moment" in words
