"""The stories as a real Storybook: built with no network, with the gallery's addresses, words, and live parts."""

import http.server
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.web.stories import STORIES, Story
from app.web.stories.live import LiveStory
from tests.conftest import ROOT, wait_until
from tests.storybook.export import export

pytestmark = [pytest.mark.soak, pytest.mark.browser, pytest.mark.timeout(600)]
HERE = ROOT / "tests" / "storybook"
NO_WAY_OUT = {f"{name}_proxy": "http://127.0.0.1:9" for name in ("http", "https", "HTTP", "HTTPS")}
CANVAS = "document.getElementById('storybook-root').innerText"
CHOOSE = "storyId => __STORYBOOK_PREVIEW__.channel.emit('setCurrentStory', {storyId, viewMode: 'story'})"
OLDEST_NODE = (20, 19)
PINNED = {"storybook": "10.6.0", "@storybook/html-vite": "10.6.0", "vite": "8.3.8"}


def installed() -> Path:
    """Give the folder of the installed packages; install them where they are not those that are locked."""
    lock, kept = HERE / "package-lock.json", HERE / "node_modules" / ".package-lock.json"
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm here to build a Storybook with")
    node = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
    if tuple(map(int, node.removeprefix("v").split(".")[:2])) < OLDEST_NODE:
        pytest.skip(f"Node here is {node}; a Storybook is built with {'.'.join(map(str, OLDEST_NODE))} or newer")
    if not kept.is_file() or kept.stat().st_mtime < lock.stat().st_mtime:
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=300)
        if done.returncode:
            pytest.skip(f"Storybook could not be installed: {done.stderr.strip().splitlines()[-1:]}")
    return HERE / "node_modules"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Storybook, built from what the stories are now, without any way to a network."""
    home = tmp_path_factory.mktemp("home")
    node_modules = installed()
    export(HERE / "stories")
    out = tmp_path_factory.mktemp("storybook") / "built"
    quiet = {"HOME": str(home), "STORYBOOK_DISABLE_TELEMETRY": "1", "CI": "true"}
    command = [str(node_modules / ".bin" / "storybook"), "build", "--disable-telemetry", "--quiet", "--output-dir", str(out)]
    done = subprocess.run(
        command, cwd=HERE, env={**os.environ, **quiet, **NO_WAY_OUT}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out


@pytest.fixture(scope="module")
def address(built: Path) -> Iterator[str]:
    """Serve the built files, as any server of static files does."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(built))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_its_stories_have_the_gallery_s_addresses(built: Path) -> None:
    entries = json.loads((built / "index.json").read_text())["entries"]
    assert sorted(name for name, entry in entries.items() if entry["type"] == "story") == sorted(s.id for s in STORIES)


def missing_words(page: Any, story: Story) -> list[str]:
    """Say which words a story does not show."""
    shown = " ".join(page.evaluate(CANVAS).split())
    return [f"{story.id} does not show {words!r}" for words in story.shows if words not in shown]


def test_every_story_shows_its_words_in_it(address: str, open_page: Callable[..., Any]) -> None:
    stories = [story for story in STORIES if not isinstance(story, LiveStory)]
    page = open_page(f"{address}/iframe.html?id={stories[0].id}&viewMode=story", viewport={"width": 1280, "height": 900})
    wait_until(lambda: page.evaluate("document.body.classList.contains('sb-show-main')"), "the first story")
    page.evaluate(
        "() => { window.shown = ''; __STORYBOOK_PREVIEW__.channel.on('storyRendered', id => { window.shown = id; }); }"
    )
    flaws = []
    for story in stories[1:] + stories[:1]:
        page.evaluate(CHOOSE, story.id)
        wait_until(lambda story=story: page.evaluate("window.shown") == story.id, f"{story.id} to be rendered")
        flaws += missing_words(page, story)
    assert flaws == []


def test_live_stories_are_told_their_recording_by_the_pages_own_code(address: str, open_page: Callable[..., Any]) -> None:
    live = [story for story in STORIES if isinstance(story, LiveStory)]
    pages = [(story, open_page(f"{address}/iframe.html?id={story.id}&viewMode=story")) for story in live]
    for story, page in pages:
        wait_until(lambda page=page, story=story: not missing_words(page, story), f"{story.id} to show {story.shows}")
    assert "/static/img/recorded/" in pages[0][1].get_attribute("#overlay-image", "src")
    assert pages[0][1].evaluate("htmx.version") == "4.0.1"


def test_its_head_is_that_of_the_pages() -> None:
    head = (HERE / ".storybook" / "preview-head.html").read_text()
    base = (ROOT / "templates" / "base.html").read_text()
    config = next(line for line in base.splitlines() if "htmx-config" in line)
    assert config in head
    for name in ("css/tokens.css", "css/base.css", "css/components.css", "vendor/htmx.min.js", "vendor/hx-sse.min.js",
                 "vendor/hx-upsert.min.js"):  # fmt: skip
        assert f"/static/{name}" in head
        assert f"static('{name}')" in base


def test_the_lock_names_no_registry_and_pins_what_is_tested() -> None:
    lock = json.loads((HERE / "package-lock.json").read_text())
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
    assert {name: lock["packages"][f"node_modules/{name}"]["version"] for name in PINNED} == PINNED
    assert json.loads((HERE / "package.json").read_text())["devDependencies"] == PINNED
