"""The feed in a real Chromium: a page over a killed server, EventSource at an ended job, boxes and picture of one frame."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.conftest import ROOT, Server, Servers, wait_until, write_clip

pytestmark = pytest.mark.browser
SETTINGS = {"SIGHTLINE_WORKERS": "2", "SIGHTLINE_PLUGINS_PATH": str(ROOT / "tests" / "plugins")}
STATE = "document.getElementById('connection-state').dataset.state"


def becomes(page: Any, expression: str) -> None:
    """Wait until an expression is true on the page."""
    wait_until(lambda: page.evaluate(f"Boolean({expression})"), expression)


def submit(server: Server, clip: Path, **fields: str) -> str:
    """Submit a clip; give the job's id."""
    with server.client() as client, clip.open("rb") as file:
        return str(client.post("/v1/jobs", files={"file": (clip.name, file)}, data=fields).raise_for_status().json()["id"])


@pytest.fixture
def forgiving(open_page: Callable[..., Any], complaints: list[str]) -> Any:
    """Let the browser complain that a server which was ended does not answer: forgiven before `open_page` looks."""
    yield
    words_of_htmx = ("htmx:sse:error: network error", "htmx:sse:error: Failed to fetch", "htmx:error: Failed to fetch")
    caused = ("Failed to load resource", "net::ERR", *words_of_htmx)
    complaints[:] = [said for said in complaints if not any(words in said for words in caused)]


@pytest.mark.usefixtures("forgiving")
@pytest.mark.parametrize(
    "how", [pytest.param(signal.SIGKILL, id="killed"), pytest.param(signal.SIGTERM, id="asked", marks=pytest.mark.soak)]
)
def test_a_page_goes_on_over_a_server_that_was_ended_without_a_reload_to_the_end_of_the_job(
    servers: Servers, open_page: Callable[..., Any], tmp_path: Path, how: signal.Signals
) -> None:
    server = servers.start(env=SETTINGS)
    clip = write_clip(tmp_path / "clip.mp4", frames=300)
    slow = '{"stages": [{"plugin": "square"}, {"plugin": "brightness", "options": {"ms": 60}}]}'
    job_id = submit(server, clip, pipeline=slow)
    page = open_page(f"{server.url}/jobs/{job_id}")
    becomes(page, f"{STATE} === 'live' && Number(document.getElementById('progress-bar').getAttribute('aria-valuenow')) > 5")
    page.evaluate("window.neverReloaded = true")
    if how is signal.SIGKILL:
        server.process.kill()
        server.process.wait()
        wait_until(lambda: not server.processes(), "the workers to notice")
    else:
        assert server.stop() == 0
    becomes(page, f"{STATE} === 'reconnecting'")
    again = servers.start(home=server.home, env=SETTINGS, port=int(server.url.rpartition(":")[2]))
    becomes(page, f"{STATE} === 'live'")
    becomes(page, f"{STATE} === 'ended'")
    assert page.get_attribute("#progress-bar", "aria-valuenow") == "100"
    assert "Completed" in page.inner_text("#job-status")
    assert page.evaluate("window.neverReloaded")
    with again.client() as client:
        assert client.get(f"/v1/jobs/{job_id}").json()["status"] == "completed"


def test_an_event_source_stops_at_the_end_of_a_job_and_follows_a_running_one_to_it(
    server: Server, open_page: Callable[..., Any], tmp_path: Path
) -> None:
    job_id = submit(server, write_clip(tmp_path / "clip.mp4", frames=60), plugins="motion_mog2", pace="realtime")
    page = open_page(f"{server.url}/stories")
    asked: list[str] = []
    page.on("response", lambda response: asked.append(str(response.status)) if "/insights" in response.url else None)
    page.evaluate(
        f"""() => {{
          window.told = [];
          window.source = new EventSource("/v1/jobs/{job_id}/insights");
          const note = (event) => told.push([event.type, event.data]);
          for (const type of ["hello", "status", "close"]) source.addEventListener(type, note);
        }}"""
    )
    becomes(page, "source.readyState === EventSource.CLOSED")
    told = page.evaluate("told.map(([type, data]) => type + ' ' + (JSON.parse(data).status ?? JSON.parse(data).reason ?? ''))")
    assert told[0] == "hello "
    assert told[-2:] == ["status completed", "close completed"]
    assert asked == ["200", "204"]
    page.wait_for_timeout(3000)
    assert asked == ["200", "204"], "it asks again and again"


def places(picture: np.ndarray, stroke: tuple[int, int, int]) -> tuple[float, float] | None:
    """Give the middles, in pixels from the left, of the square and of the box drawn around it, where both are seen."""
    blue, green, red = (picture[:, :, channel].astype(int) for channel in range(3))
    square = np.nonzero((green > 150) & (red > 180) & (blue < 130))[1]
    drawn = np.nonzero(np.abs(picture[:, :, ::-1].astype(int) - np.array(stroke)).max(axis=2) < 24)[1]
    if len(square) < 50 or len(drawn) < 50:
        return None
    return (square.min() + square.max()) / 2, (drawn.min() + drawn.max()) / 2


@pytest.mark.parametrize("count", [25, pytest.param(300, marks=[pytest.mark.soak, pytest.mark.timeout(600)])])
def test_boxes_and_picture_are_of_the_same_frame(
    servers: Servers, open_page: Callable[..., Any], tmp_path: Path, count: int
) -> None:
    server = servers.start(env=SETTINGS)
    clip = write_clip(tmp_path / "clip.mp4", frames=200, size=(320, 240), fps=15)
    job_id = submit(server, clip, plugins="square", pace="realtime", loop="40")
    page = open_page(f"{server.url}/jobs/{job_id}", viewport={"width": 900, "height": 900})
    page.uncheck("#toggle-labels")
    becomes(page, "document.querySelector('#overlay-boxes rect')")
    colour = "getComputedStyle(document.querySelector('#overlay-boxes rect')).stroke"
    stroke = page.evaluate(
        f"(() => {{ const c = document.createElement('canvas').getContext('2d'); c.fillStyle = {colour};"
        " c.fillRect(0, 0, 1, 1); return [...c.getImageData(0, 0, 1, 1).data].slice(0, 3); })()"
    )
    area = page.locator("#overlay-stream .picture").bounding_box()
    apart: list[float] = []
    for _ in range(count):
        shot = cv2.imdecode(np.frombuffer(page.screenshot(clip=area), np.uint8), cv2.IMREAD_COLOR)
        found = places(shot, tuple(stroke))
        apart.append(abs(found[0] - found[1]) / shot.shape[1] if found else 1.0)
        page.wait_for_timeout(70)
    one_frame = 3 / 320  # the square moves so far, as a part of the picture's width, from one frame to the next
    assert sum(distance < one_frame for distance in apart) >= 0.99 * count, apart
    shown = page.evaluate("document.querySelector('#overlay-stream .caption strong').innerText")
    assert shown != "Frame 0"
