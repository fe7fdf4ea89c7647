"""The gallery and the live partials: every fragment has a story, every insight of the feed a place on its pages."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.insight import FACT_TYPES, INSIGHT_EXAMPLES, LATEST_TYPES
from app.web.render import ENCODERS, encode
from app.web.stories import STORIES, Story, gallery
from app.web.stories.live import LIVE_STORIES
from app.web.templating import TEMPLATES
from tests.web.conftest import Api
from tests.web.html import Page

FRAGMENTS = sorted(path.stem for path in (TEMPLATES / "fragments").glob("*.html"))
SHOWN = [(kind, name) for kind, draws in ENCODERS.items() for name in draws]


@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_every_fragment_has_a_story(fragment: str) -> None:
    told = [story for story in STORIES if story.fragment == fragment]
    assert told, f"templates/fragments/{fragment}.html has no story: tell one in app/web/stories"
    for story in told:
        assert not re.search(r"\bNone\b|undefined|Undefined|\bnan\b", story.html), story.id


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.id)
def test_every_story_says_what_it_shows(story: Story) -> None:
    assert story.shows or story.unseen, f"{story.id} names no words that a person must see in it (its `shows`)"


def test_every_fragment_that_the_feed_sends_is_moved_in_a_live_story() -> None:
    sent = {name for draws in ENCODERS.values() for name in draws}
    told = {insight.type for story in LIVE_STORIES for _, insight in story.told()}
    assert sent - told == set(), "these insights reach pages and no live story tells them: record them again"
    assert {kind for kind in ENCODERS if kind not in {story.page for story in LIVE_STORIES}} <= {"home"}  # lists as jobs does


def test_a_story_stands_alone_with_the_ids_of_the_product(api: Api) -> None:
    page = Page(api.client.get("/stories/job-status--running").text)
    assert page["job-status"]["data-status"] == "running"
    assert api.client.get("/stories/job-status--dancing", headers={"accept": "text/html"}).status_code == 404
    assert api.client.get("/stories/job-status--running/feed").status_code == 404


def test_every_story_has_its_place_in_the_gallery(api: Api) -> None:
    text = api.client.get("/stories").text
    assert re.findall(r'data-story="([^"]+)"', text) == [told.story.id for told in gallery()]
    assert len(text) < 1_000_000


def test_no_id_stands_twice_in_the_gallery(api: Api) -> None:
    ids = Page(api.client.get("/stories").text).ids()
    assert sorted(name for name in ids if ids.count(name) > 1) == []


def test_every_insight_that_pages_can_show_is_shown_on_the_job_page() -> None:
    assert set(ENCODERS["job"]) == FACT_TYPES | LATEST_TYPES


@pytest.mark.parametrize(("kind", "name"), SHOWN)
def test_a_live_message_is_made_of_partials_only(kind: str, name: str) -> None:
    html = (encode(kind, INSIGHT_EXAMPLES[name]) or b"").decode()
    assert re.sub(r"<hx-partial.*?</hx-partial>", "", html, flags=re.DOTALL).strip() == ""
    assert "hx-partial" in html
    assert not re.search(r"\bNone\b|undefined", html)
    assert "style=" not in html


def test_what_a_page_does_not_show_is_not_encoded() -> None:
    assert encode("devices", INSIGHT_EXAMPLES["overlay"]) is None
    assert encode("home", INSIGHT_EXAMPLES["usage"]) is None


def test_the_partials_of_a_job_find_their_places_on_its_page(api: Api, clip: Path) -> None:
    job_id = api.submit(clip).json()["id"]
    page = Page(api.client.get(f"/jobs/{job_id}").text)
    messages = "".join((encode("job", INSIGHT_EXAMPLES[name]) or b"").decode() for name in ENCODERS["job"])
    targets = set(re.findall(r'hx-target="#([^"]+)"', messages))
    of_this_job = {target for target in targets if not target.endswith("shapes_dnn")}  # a stage this job does not have
    assert of_this_job - set(page.by_id) == set()


def test_the_partials_of_lists_find_their_places(api: Api, clip: Path) -> None:
    job_id = api.submit(clip).json()["id"]
    for path, kind in (("/", "home"), ("/jobs", "jobs")):
        page = Page(api.client.get(path).text)
        for name in ENCODERS[kind]:
            html = (encode(kind, INSIGHT_EXAMPLES[name]) or b"").decode().replace(str(INSIGHT_EXAMPLES[name].job_id), job_id)
            assert set(re.findall(r'hx-partial hx-target="#([^"]+)"', html)) - set(page.by_id) == set()


def test_picture_and_boxes_of_a_frame_come_in_one_partial() -> None:
    html = (encode("job", INSIGHT_EXAMPLES["overlay"]) or b"").decode()
    whole = next(part for part in re.findall(r"<hx-partial.*?</hx-partial>", html, re.DOTALL) if "overlay-image" in part)
    assert "frames/334.jpg" in whole
    assert "overlay-boxes" in whole
    assert "told 81.3 ms after decoding" in whole


@pytest.mark.parametrize("path", ["/", "/jobs", "/plugins", "/devices", "/stories", "/sign-in"])
def test_pages_keep_the_strict_policy(api: Api, path: str) -> None:
    answer = api.client.get(path)
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    page = Page(answer.text)
    assert [e.tag for e in page.elements if "style" in e or any(name.startswith("on") for name in e.attributes)] == []
    assert [e for e in page.all("script") if "src" not in e] == []
    assert page.all("style") == []
    addresses = [e[name] for e in page.elements for name in ("src", "href", "action") if name in e]
    assert [a for a in addresses if re.match(r"\w+:|//", a)] == []


def test_only_one_template_spells_the_attributes_of_the_stream() -> None:
    spelled = [p.relative_to(TEMPLATES).as_posix() for p in TEMPLATES.rglob("*.html") if "hx-sse:" in p.read_text()]
    assert spelled == ["components/stream.html"]


def test_every_vendored_file_is_the_one_that_is_recorded(file_hash: Callable[[Path], str]) -> None:
    folder = TEMPLATES.parent / "static" / "vendor"
    record = (folder / "VENDOR.md").read_text()
    for file in folder.glob("*.js"):
        assert file_hash(file) in record, f"{file.name} differs from VENDOR.md"


@pytest.fixture
def file_hash() -> Callable[[Path], str]:
    """Give a file's SHA-256."""
    import hashlib

    return lambda path: hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_icon_that_is_used_is_in_the_sprite(api: Api) -> None:
    sprite = (TEMPLATES.parent / "static" / "img" / "icons.svg").read_text()
    there = set(re.findall(r'<symbol id="([^"]+)"', sprite))
    text = "".join(api.client.get(path).text for path in ("/", "/jobs", "/plugins", "/devices", "/stories", "/nowhere"))
    used = set(re.findall(r"icons\.svg[^#\"]*#([a-z0-9-]+)", text))
    assert used - there == set()
