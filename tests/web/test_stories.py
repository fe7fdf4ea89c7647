"""The stories as a person sees them, in a real Chromium: the words each must show, live ones to the end, their pictures."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from app.web.stories import STORIES
from app.web.stories.live import LIVE_STORIES, LiveStory
from app.web.stories.story import kebab
from tests.conftest import ROOT, wait_until
from tests.web.conftest import Api, serve
from tests.web.pictures import Album, difference

SEEN = [story for story in STORIES if not story.unseen]
STILL = [story for story in SEEN if not isinstance(story, LiveStory)]
KEPT = ROOT / "tests" / "baselines" / "stories"
WIDTH = 640
MOST_BYTES = 1_500_000  # of all kept pictures together


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server with the stories, for all tests here."""
    with serve(tmp_path_factory.mktemp("gallery") / "home") as api:
        yield api


def missing_words(story: Any, text: str) -> list[str]:
    """Say which words a story promises and does not show."""
    shown = " ".join(text.split())
    return [f"{story.id} does not show {words!r}; it shows: {shown[:300]!r}" for words in story.shows if words not in shown]


def test_every_story_shows_its_words_in_the_gallery(gallery: Api, open_page: Callable[..., Any]) -> None:
    page = open_page(f"{gallery.url}/stories", viewport={"width": 1280, "height": 900})
    texts: dict[str, str] = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('[data-story]')].map(s =>"
        " [s.dataset.story, s.querySelector('.stage-set').innerText]))"
    )
    assert list(texts) == [story.id for story in STORIES]
    assert [flaw for story in STILL for flaw in missing_words(story, texts[story.id])] == []
    assert [story.id for story in STORIES if story.unseen and texts[story.id].strip()] == []


def test_every_live_story_goes_to_its_end_by_the_pages_own_code(gallery: Api, open_page: Callable[..., Any]) -> None:
    pages = {story: open_page(f"{gallery.url}/stories/{story.id}") for story in LIVE_STORIES}
    for story, page in pages.items():
        text = "document.querySelector('[data-story]').innerText"

        def shows(page: Any = page, story: LiveStory = story, text: str = text) -> bool:
            return not missing_words(story, page.evaluate(text))

        wait_until(shows, f"{story.id} to show {', '.join(story.shows)}")
        assert page.evaluate("document.querySelectorAll('[data-story] hx-partial').length") == 0
    job = pages[LIVE_STORIES[0]]
    assert "/static/img/recorded/" in job.get_attribute("#overlay-image", "src")
    assert job.locator("#overlay-boxes .mark").count() >= 1


def test_every_story_looks_as_it_is_kept(
    gallery: Api, open_page: Callable[..., Any], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    page = open_page(
        f"{gallery.url}/stories", bypass_csp=True, viewport={"width": WIDTH, "height": 900}, reduced_motion="reduce",
        color_scheme="light",
    )  # fmt: skip
    album = Album.of(page, [story.id for story in STILL])
    if request.config.getoption("--accept-baselines"):
        album.keep(KEPT)
    kept = {path.stem: path for path in KEPT.glob("*.png")}
    assert set(kept) == set(album.pictures), "accept what the stories look like now: make pictures"
    assert sum(path.stat().st_size for path in kept.values()) <= MOST_BYTES
    changed = [f"{name}: {flaw}" for name, picture in album.pictures.items() if (flaw := difference(kept[name], picture))]
    for name in (line.partition(":")[0] for line in changed):
        album.keep(tmp_path, name)
    assert changed == [], f"the pictures of now are in {tmp_path}; if they are meant: make pictures"


def test_another_colour_or_lost_words_are_seen_and_a_pixel_of_another_renderer_is_not() -> None:
    kept = KEPT / "job-status--running.png"
    picture = cv2.imread(str(kept))
    recoloured, bare = picture[:, :, ::-1].copy(), picture.copy()
    bare[4:-4, 40:90] = bare[bare.shape[0] // 2, 36]
    assert difference(kept, picture) == ""
    assert difference(kept, np.roll(picture, 1, axis=1)) == ""
    assert "cells differ" in difference(kept, recoloured)
    assert "cells differ" in difference(kept, bare)
    assert "kept are" in difference(kept, np.vstack([picture, picture]))


def test_every_story_has_an_address_of_its_own() -> None:
    assert len({story.id for story in STORIES}) == len(STORIES)
    assert [story.id for story in STORIES if story.id != f"{kebab(story.fragment)}--{kebab(story.title)}"] == []
