"""The pages in a real Chromium: the live overlay, pausing, an upload that is refused, and what axe-core has to say."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Server, Servers, wait_until, write_clip
from tests.web.accessibility import flaws_of
from tests.web.browsing import STATE, becomes

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server; one of its workers is busy with the slow job."""
    started = Servers(tmp_path_factory.mktemp("house"))
    yield started.start(env={"SIGHTLINE_WORKERS": "2", "SIGHTLINE_MAX_UPLOAD_MB": "20"})
    started.close()


@pytest.fixture(scope="module")
def slow_job(house: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A job that runs at its clip's own pace for a quarter of an hour; cancelled at the end."""
    clip = write_clip(tmp_path_factory.mktemp("slow") / "slow.mp4", frames=300, fps=10)
    with house.client() as client:
        data = {"plugins": "motion_mog2", "pace": "realtime", "loop": "30", "name": "slow and steady"}
        job_id = client.post("/v1/jobs", files={"file": ("slow.mp4", clip.read_bytes())}, data=data).json()["id"]
        yield job_id
        client.post(f"/v1/jobs/{job_id}/cancel")


@pytest.fixture(scope="module")
def ended_job(house: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A job that has ended."""
    clip = write_clip(tmp_path_factory.mktemp("short") / "short.mp4", frames=30)
    with house.client() as client:
        files = {"file": ("short.mp4", clip.read_bytes())}
        job_id = client.post("/v1/jobs", files=files, data={"plugins": "motion_mog2"}).json()["id"]

        def ended() -> bool:
            return client.get(f"/v1/jobs/{job_id}").json()["status"].startswith("completed")

        wait_until(ended, "the short job to end")
    return str(job_id)


@pytest.fixture
def forgiving(open_page: Callable[..., Any], complaints: list[str]) -> Iterator[None]:
    """Let the browser complain of answers that are refusals on purpose: forgiven before `open_page` looks."""
    yield
    complaints[:] = [said for said in complaints if "Failed to load resource" not in said]


@pytest.mark.timeout(300)  # two real detectors over the whole clip, on however busy a machine
def test_an_upload_by_the_form_becomes_a_live_overlay_and_an_ended_job(
    house: Server, open_page: Callable[..., Any], tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "a moving square.mp4", frames=250, fps=25)
    page = open_page(house.url)
    page.check("input[value=people_hog]")
    page.check("input[value=motion_mog2]")
    page.set_input_files("#source-input", clip)
    page.click("#submit-job")
    page.wait_for_url("**/jobs/*", wait_until="domcontentloaded")
    job_id = page.url.rpartition("/")[2]
    page.evaluate(
        """() => { window.seen = {}; new MutationObserver(() => {
          const frame = document.getElementById('overlay-image').getAttribute('src');
          const boxes = document.getElementById('overlay-boxes');
          window.seen[frame] = [boxes.getAttribute('aria-label'),
            [...boxes.querySelectorAll('g[data-stage]')].map(g => [g.dataset.stage, g.dataset.colour,
              [...g.querySelectorAll('rect')].map(r => ['x', 'y', 'width', 'height'].map(n => Number(r.getAttribute(n))))])];
        }).observe(document.getElementById('overlay-stream'), {subtree: true, childList: true,
           attributeFilter: ['src', 'x', 'y', 'width', 'height', 'aria-label']}); }"""
    )
    becomes(page, f"{STATE} === 'ended'", 180)
    assert page.get_attribute("#progress-bar", "aria-valuenow") == "100"
    assert page.get_attribute("#job-status", "data-status") == "completed"
    seen = page.evaluate("window.seen")
    assert len(seen) >= 5
    with house.client() as client:
        rows = [json.loads(line) for line in client.get(f"/v1/jobs/{job_id}/frames").iter_lines()]
    for source, (label, drawn) in seen.items():
        index = int(source.rpartition("/")[2].removesuffix(".jpg"))
        assert label == f"What the stages found on frame {index}"
        assert {stage: colour for stage, colour, _ in drawn} == {"people_hog": "2", "motion_mog2": "1"}
        for stage, _, boxes in drawn:
            stored = [found["box"] for found in rows[index]["outputs"][stage]["detections"]]
            expected = [[x * 160, y * 120, w * 160, h * 120] for x, y, w, h in stored]
            assert boxes == [pytest.approx(box, abs=0.06) for box in expected]
    assert page.is_disabled("#pause-updates")
    assert page.locator("#job-breakdown tbody tr").count() >= 4


def test_the_page_goes_live_also_when_the_stream_extension_comes_late(
    house: Server, slow_job: str, open_page: Callable[..., Any]
) -> None:
    page = open_page(f"{house.url}/stories")

    def late(route: Any) -> None:
        time.sleep(0.3)
        route.continue_()

    page.route("**/hx-sse.min.js*", late)
    for _ in range(3):
        asked: list[str] = []
        page.on("request", lambda request, asked=asked: asked.append(request.url) if "/live?" in request.url else None)
        page.goto(f"{house.url}/jobs/{slow_job}", wait_until="domcontentloaded")
        becomes(page, f"{STATE} === 'live'")
        assert len(asked) == 1


def test_pausing_freezes_the_page_and_going_on_catches_up(house: Server, slow_job: str, open_page: Callable[..., Any]) -> None:
    page = open_page(f"{house.url}/jobs/{slow_job}")
    frame = "document.querySelector('#overlay-stream .caption strong').innerText"
    becomes(page, f"{STATE} === 'live' && document.getElementById('overlay-image').src.match(/frames.[1-9]/)")
    page.click("#pause-updates")
    assert page.evaluate(STATE) == "paused"
    before = page.evaluate("document.getElementById('job').innerText")
    page.wait_for_timeout(1500)
    assert page.evaluate("document.getElementById('job').innerText") == before
    shown = page.evaluate(frame)
    page.click("#pause-updates")
    becomes(page, f"{STATE} === 'live' && {frame} !== '{shown}'")


@pytest.mark.usefixtures("forgiving")
def test_a_lost_connection_is_told_and_taken_up_again(house: Server, slow_job: str, open_page: Callable[..., Any]) -> None:
    page = open_page(f"{house.url}/stories")
    page.route("**/live?*", lambda route: route.fulfill(status=503, body="the feed is full"))
    page.goto(f"{house.url}/devices", wait_until="domcontentloaded")
    becomes(page, f"{STATE} === 'stale'")
    becomes(page, "/^Stale: nothing heard for [0-9]+ s$/.test(document.getElementById('connection-state').innerText.trim())")
    assert float(page.evaluate("getComputedStyle(document.getElementById('device-usage')).opacity")) < 1
    page.unroute("**/live?*")
    becomes(page, f"{STATE} === 'live'")


def test_boxes_labels_and_panels_answer_mouse_and_keyboard(
    house: Server, ended_job: str, open_page: Callable[..., Any]
) -> None:
    page = open_page(f"{house.url}/jobs/{ended_job}")
    mark = page.locator("#overlay-boxes .mark").first
    mark.focus()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("motion_mog2: motion")
    page.click("#inspect-motion_mog2 summary")
    assert not page.locator("#found-motion_mog2").is_visible()
    mark.press("Enter")
    assert page.locator("#found-motion_mog2").is_visible()
    page.uncheck("#toggle-boxes")
    assert not mark.locator("rect").is_visible()
    assert mark.locator("text").is_visible()
    page.uncheck("#toggle-labels")
    assert not mark.locator("text").is_visible()


@pytest.mark.usefixtures("forgiving")
def test_a_refused_upload_is_explained_beside_the_form(house: Server, open_page: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("just words\n" * 100)
    page = open_page(house.url)
    page.set_input_files("#source-input", tmp_path / "notes.mp4")
    page.click("#submit-job")
    assert "No plugin is picked." in page.inner_text("#form-problem")
    page.check("input[value=motion_mog2]")
    page.click("#submit-job")
    becomes(page, "document.getElementById('form-problem').innerText.includes('notes.mp4 cannot be read')")
    assert page.is_enabled("#submit-job")
    assert page.is_checked("input[value=motion_mog2]")


def test_the_list_of_running_jobs_grows_by_itself(
    house: Server, slow_job: str, open_page: Callable[..., Any], clip: Path
) -> None:
    page = open_page(house.url)
    becomes(page, f"{STATE} === 'live'")
    assert page.locator(f"#job-{slow_job}").count() == 1
    with house.client() as client:
        files = {"file": ("new.mp4", clip.read_bytes())}
        data = {"plugins": "motion_mog2", "pace": "realtime", "name": "newcomer"}
        made = client.post("/v1/jobs", files=files, data=data).json()
    page.wait_for_selector(f"#job-{made['id']}")
    page.wait_for_selector(f"#job-{made['id']}", state="detached")


def test_the_pages_say_the_same_with_scripts_off(
    house: Server, ended_job: str, open_page: Callable[..., Any], clip: Path
) -> None:
    page = open_page(house.url, java_script_enabled=False)
    page.check("input[value=motion_mog2]")
    page.set_input_files("#source-input", clip)
    page.click("#submit-job")
    page.wait_for_url("**/jobs/*", wait_until="domcontentloaded")
    page.goto(f"{house.url}/jobs/{ended_job}", wait_until="domcontentloaded")
    assert page.get_attribute("#progress-bar", "aria-valuenow") == "100"
    assert "nothing changes any more" in page.inner_text("#connection-state")
    page.fill("#frame-number", "12")
    page.click("text=Show")
    assert page.get_attribute("#overlay-image", "src") == f"/v1/jobs/{ended_job}/frames/12.jpg"


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("light", 1280),
        ("dark", 320),
        pytest.param("light", 320, marks=pytest.mark.soak),
        pytest.param("dark", 1280, marks=pytest.mark.soak),
    ],
)
@pytest.mark.usefixtures("forgiving")
def test_axe_finds_nothing_and_nothing_scrolls_sideways(  # noqa: PLR0917 five fixtures and two widths of two schemes
    house: Server, slow_job: str, ended_job: str, open_page: Callable[..., Any], axe: str, scheme: str, width: int
) -> None:
    paths = ["/", "/jobs", f"/jobs/{slow_job}", f"/jobs/{ended_job}", "/plugins", "/plugins/people_hog", "/devices", "/stories",
             "/sign-in", "/nowhere"]  # fmt: skip
    page = open_page(house.url, color_scheme=scheme, viewport={"width": width, "height": 800}, reduced_motion="reduce")
    for path in paths:
        page.goto(house.url + path, wait_until="domcontentloaded")
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
        assert flaws_of(page, axe) == [], f"{path} at {width} px, {scheme}"


def test_pages_are_light(house: Server, ended_job: str) -> None:
    with house.client() as client:
        sent = {name: len(client.get(f"/static/{name}").content) for name in (
            "css/tokens.css", "css/base.css", "css/components.css", "css/job.css", "js/live.js", "js/overlay.js",
            "js/playback.js", "vendor/htmx.min.js", "vendor/hx-sse.min.js",
            "vendor/hx-upsert.min.js", "img/icons.svg")}  # fmt: skip
        page = client.get(f"/jobs/{ended_job}").content
    assert sum(sent.values()) < 120_000
    assert len(page) < 60_000


def test_a_server_without_the_file_of_a_page_says_so(house: Server) -> None:
    assert httpx.get(f"{house.url}/static/css/none.css", trust_env=False).status_code == 404
