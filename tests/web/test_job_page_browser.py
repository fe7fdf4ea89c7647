"""The page of a job in a real Chromium: its map, its curves, what the overlay shows and hides, and playing it back."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import Server, wait_until, write_clip
from tests.web.browsing import STATE, becomes, going_on, submit

pytestmark = pytest.mark.browser
FRAME = "document.querySelector('#overlay-stream .caption strong').innerText"
PIPELINE = {
    "stages": [
        {"plugin": "square"},
        {"plugin": "faulty", "options": {"every": 0, "frames": ["12", "47"]}},
        {"plugin": "tracker", "needs": ["square"]},
        {"plugin": "line_counter", "needs": ["tracker"], "options": {"anchor": "centre"}},
    ]
}


@pytest.fixture(scope="module")
def running_job(house: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A job that runs at its clip's own pace for minutes, and fails on some frames; cancelled at the end."""
    clip = write_clip(tmp_path_factory.mktemp("slow") / "slow.mp4", frames=300, fps=10)
    stages = [{"plugin": "square"}, {"plugin": "faulty", "options": {"every": 25}}]
    with going_on(house, clip, pipeline=json.dumps({"stages": stages}), loop="30") as job_id:
        yield job_id


@pytest.fixture(scope="module")
def ended_job(house: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A job that has ended: a square crossed a line, and one stage failed on frames 12 and 47."""
    clip = write_clip(tmp_path_factory.mktemp("short") / "short.mp4", frames=70, fps=10)
    job_id = submit(house, clip, pipeline=json.dumps(PIPELINE))
    with house.client() as client:
        ended = {"completed", "completed_with_warnings", "failed"}
        wait_until(lambda: client.get(f"/v1/jobs/{job_id}").json()["status"] in ended, "the short job to end")
    return job_id


@pytest.fixture(scope="module")
def rows(house: Server, ended_job: str) -> list[dict[str, Any]]:
    """The stored rows of the job that has ended."""
    with house.client() as client:
        return [json.loads(line) for line in client.get(f"/v1/jobs/{ended_job}/frames").iter_lines()]


def test_the_map_and_the_numbers_live_with_the_job(house: Server, running_job: str, open_page: Callable[..., Any]) -> None:
    page = open_page(f"{house.url}/jobs/{running_job}")
    becomes(page, f"{STATE} === 'live'")
    done = "document.querySelectorAll('#segment-map .map .part-done, #segment-map .map .part-troubled').length"
    begun = page.evaluate(done)
    becomes(page, f"{done} > {begun}")
    becomes(page, "document.querySelector('#segment-map .part-troubled')")
    becomes(page, "document.querySelector('#job-metrics polyline')?.points.length > 2")
    becomes(page, "document.querySelector('#latency-square .bullet-p95')")
    becomes(page, "/left/.test(document.getElementById('job-progress').innerText)")
    told = page.get_attribute("#segment-map svg.map", "aria-label")
    assert "segments" in told
    assert "failed frames" in told
    becomes(page, "document.querySelector('#fact-rows .fact').innerText.includes('exception in faulty')")
    times = page.evaluate("[...document.querySelectorAll('#fact-rows time')].map(t => t.dateTime)")
    assert times == sorted(times, reverse=True)
    assert len(times) == len(set(page.evaluate("[...document.querySelectorAll('#fact-rows li')].map(l => l.id)")))


def test_nothing_moves_when_fragments_arrive(house: Server, running_job: str, open_page: Callable[..., Any]) -> None:
    page = open_page(f"{house.url}/stories", viewport={"width": 1280, "height": 900})
    page.goto(f"{house.url}/jobs/{running_job}", wait_until="domcontentloaded")
    page.evaluate(
        """() => { window.moved = []; new PerformanceObserver((list) => { for (const entry of list.getEntries())
          window.moved.push([entry.value, ...entry.sources.map(s => s.node?.id || s.node?.className || s.node?.nodeName)]);
        }).observe({type: 'layout-shift', buffered: true}); }"""
    )
    becomes(page, f"{STATE} === 'live'")
    shown = page.evaluate(FRAME)
    becomes(page, f"{FRAME} !== '{shown}' && document.querySelector('#job-metrics polyline')?.points.length > 4")
    assert page.evaluate("window.moved.reduce((sum, [value]) => sum + value, 0)") < 0.02, page.evaluate("window.moved")


def test_the_picture_says_how_late_it_is(house: Server, running_job: str, open_page: Callable[..., Any]) -> None:
    page = open_page(f"{house.url}/jobs/{running_job}")
    becomes(page, "/^Shown [0-9.]+ m?s after it was decoded$/.test(document.getElementById('picture-delay').innerText)")


@pytest.mark.parametrize("size", [(1280, 900), (803, 700), (320, 640), (1280, 420)])
def test_drawn_boxes_match_the_stored_outputs_within_a_pixel(
    house: Server, ended_job: str, rows: list[dict[str, Any]], open_page: Callable[..., Any], size: tuple[int, int]
) -> None:
    page = open_page(f"{house.url}/jobs/{ended_job}?frame=31", viewport={"width": size[0], "height": size[1]})
    becomes(page, "document.getElementById('overlay-image').complete")
    drawn = page.evaluate(
        """() => { const image = document.getElementById('overlay-image'), area = image.getBoundingClientRect();
          const scale = Math.min(area.width / image.naturalWidth, area.height / image.naturalHeight);
          const wide = image.naturalWidth * scale, high = image.naturalHeight * scale;
          const left = area.left + (area.width - wide) / 2, top = area.top + (area.height - high) / 2;
          const matrix = document.querySelector('#overlay-boxes [data-stage=square] rect').getScreenCTM();
          const box = document.querySelector('#overlay-boxes [data-stage=square] rect').getBBox();
          const from = new DOMPoint(box.x, box.y).matrixTransform(matrix);
          const to = new DOMPoint(box.x + box.width, box.y + box.height).matrixTransform(matrix);
          return {picture: [wide, high], box: [from.x - left, from.y - top, to.x - left, to.y - top]}; }"""
    )
    x, y, w, h = rows[31]["outputs"]["square"]["detections"][0]["box"]
    wide, high = drawn["picture"]
    assert wide / high == pytest.approx(160 / 120, abs=0.01)
    assert drawn["box"] == pytest.approx([x * wide, y * high, (x + w) * wide, (y + h) * high], abs=1.0)


def test_toggles_and_sliders_do_what_they_say_also_to_frames_that_come_later(
    house: Server, running_job: str, open_page: Callable[..., Any]
) -> None:
    page = open_page(f"{house.url}/jobs/{running_job}")
    squares = "[...document.querySelectorAll('#overlay-boxes [data-stage=square] rect')]"
    seen = f"{squares}.some(square => square.getBoundingClientRect().width > 0)"
    becomes(page, seen)
    page.uncheck("#toggle-stage-square")
    shown = page.evaluate(FRAME)
    becomes(page, f"{FRAME} !== '{shown}'")
    assert not page.evaluate(seen)
    page.check("#toggle-stage-square")
    becomes(page, seen)
    page.fill("#confidence-slider", "100")
    assert page.inner_text("#confidence-value") == "100 %"
    becomes(page, seen)  # the square is found with full confidence
    page.click("#pause-updates")
    page.evaluate("document.querySelectorAll('#overlay-boxes .mark').forEach(m => { m.dataset.sure = '99'; })")
    assert not page.evaluate(seen)
    page.fill("#confidence-slider", "0")
    assert page.evaluate(seen)


def test_a_box_is_picked_by_mouse_and_keyboard_and_followed_by_its_track(
    house: Server, ended_job: str, open_page: Callable[..., Any]
) -> None:
    page = open_page(f"{house.url}/jobs/{ended_job}?frame=30")
    mark = page.locator("#overlay-boxes [data-stage=tracker] .mark").first
    mark.focus()
    page.keyboard.press("Enter")
    assert page.inner_text("#picked-name").startswith("tracker: square #")
    assert "px at" in page.inner_text("#picked-place")
    assert page.locator("#found-tracker").is_visible()
    before = page.inner_text("#picked-place")
    page.click("[data-step='1']")
    becomes(page, f"document.getElementById('picked-place').innerText !== {json.dumps(before)}")
    page.keyboard.press("Escape")
    assert not page.is_visible("#picked")
    page.locator("#overlay-boxes [data-stage=square] .mark rect").first.click(force=True)
    assert page.is_visible("#picked")


def test_full_screen_shows_the_overlay_with_its_controls(house: Server, ended_job: str, open_page: Callable[..., Any]) -> None:
    page = open_page(f"{house.url}/jobs/{ended_job}")
    page.click("#full-screen")
    becomes(page, "document.fullscreenElement?.id === 'watch'")
    becomes(page, "document.getElementById('full-screen').ariaPressed === 'true'")  # told one frame later
    page.click("#full-screen")
    becomes(page, "!document.fullscreenElement")
    becomes(page, "document.getElementById('full-screen').ariaPressed === 'false'")


def test_an_ended_job_plays_back_and_its_boxes_are_those_stored(
    house: Server, ended_job: str, rows: list[dict[str, Any]], open_page: Callable[..., Any]
) -> None:
    page = open_page(f"{house.url}/jobs/{ended_job}?frame=0")
    page.evaluate(
        """() => { window.seen = {}; document.addEventListener('sightline:shown', () => {
          const index = Number(document.getElementById('playback').dataset.shown);
          window.seen[index] = [document.getElementById('overlay-image').getAttribute('src'),
            [...document.querySelectorAll('#overlay-boxes [data-stage=square] rect')].map(r =>
              ['x', 'y', 'width', 'height'].map(n => Number(r.getAttribute(n))))]; }); }"""
    )
    page.select_option("#play-speed", "4")
    page.click("#play")
    assert page.get_attribute("#play", "aria-pressed") == "true"
    becomes(page, "document.getElementById('play').getAttribute('aria-pressed') === 'false'")
    assert page.get_attribute("#playback", "data-shown") == "69"
    seen = page.evaluate("window.seen")
    assert len(seen) >= 3
    for index, (picture, boxes) in seen.items():
        assert picture == f"/v1/jobs/{ended_job}/frames/{index}.jpg"
        stored = [found["box"] for found in rows[int(index)]["outputs"]["square"]["detections"]]
        assert boxes == [pytest.approx([x * 160, y * 120, w * 160, h * 120], abs=0.06) for x, y, w, h in stored]


def test_a_job_is_played_back_by_keyboard_alone(house: Server, ended_job: str, open_page: Callable[..., Any]) -> None:
    page = open_page(f"{house.url}/jobs/{ended_job}?frame=40")
    page.evaluate("document.body.focus()")
    page.keyboard.press("ArrowRight")
    becomes(page, f"{FRAME} === 'Frame 41'")
    page.keyboard.press("Shift+ArrowLeft")
    becomes(page, f"{FRAME} === 'Frame 31'")
    page.focus("#playback-slider")
    page.keyboard.press("Home")
    becomes(page, f"{FRAME} === 'Frame 0'")
    assert page.get_attribute("#playback-slider", "aria-valuetext") == "Frame 0 of 69"
    page.keyboard.press("Space")
    becomes(page, "document.getElementById('play').getAttribute('aria-pressed') === 'true'")
    becomes(page, f"{FRAME} !== 'Frame 0'")
    page.keyboard.press("Space")
    becomes(page, "document.getElementById('play').getAttribute('aria-pressed') === 'false'")
    becomes(page, "location.search === `?frame=${document.getElementById('playback').dataset.shown}`")


def test_moments_lead_to_their_frames(
    house: Server, ended_job: str, rows: list[dict[str, Any]], open_page: Callable[..., Any]
) -> None:
    crossed = next(row["frame_index"] for row in rows if row["outputs"].get("line_counter", {}).get("detections"))
    page = open_page(f"{house.url}/jobs/{ended_job}?frame=0")
    found = page.evaluate(
        "[...document.querySelectorAll('.moments [data-frame]')].map(a => [a.dataset.kind, +a.dataset.frame])"
    )
    assert ["failure", 12] in found
    assert ["failure", 47] in found
    assert ["crossing", crossed] in found
    assert page.locator(".timeline .moment-failure").count() == 2
    page.click("[data-moment='1']")
    becomes(page, f"{FRAME} === 'Frame 12'")
    page.click("#warning-exception-faulty [data-frame]")
    becomes(page, f"{FRAME} === 'Frame 12'")
    page.click("[data-moment='1']")
    becomes(page, f"{FRAME} === 'Frame {min(47, crossed)}'")


def test_frames_are_stepped_through_with_scripts_off(house: Server, ended_job: str, open_page: Callable[..., Any]) -> None:
    page = open_page(f"{house.url}/jobs/{ended_job}?frame=11", java_script_enabled=False)
    assert not page.is_visible("#play")
    page.click("[data-step='1']")
    page.wait_for_url("**?frame=12", wait_until="domcontentloaded")
    assert page.get_attribute("#overlay-image", "src") == f"/v1/jobs/{ended_job}/frames/12.jpg"
    assert page.locator("#overlay-boxes [data-stage=square] rect").count() == 1
    page.click("[data-moment='1']")
    page.wait_for_url("**?frame=*", wait_until="domcontentloaded")
    page.fill("#frame-number", "69")
    page.click("text=Show")
    page.wait_for_url("**?frame=69", wait_until="domcontentloaded")
    assert page.get_attribute("[data-step='1']", "aria-disabled") == "true"


def test_one_may_look_back_while_the_job_runs_and_come_back_to_live(
    house: Server, running_job: str, open_page: Callable[..., Any]
) -> None:
    page = open_page(f"{house.url}/jobs/{running_job}?frame=3")
    becomes(page, f"{STATE} === 'live'")
    numbers = page.inner_text("#job-progress")
    becomes(page, f"document.getElementById('job-progress').innerText !== {json.dumps(numbers)}")
    assert page.evaluate(FRAME) == "Frame 3"
    page.click("[data-step='1']")
    becomes(page, f"{FRAME} === 'Frame 4'")
    page.click("#back-to-live")
    page.wait_for_url(f"**/jobs/{running_job}", wait_until="domcontentloaded")
    becomes(page, f"{STATE} === 'live'")
    shown = page.evaluate(FRAME)
    becomes(page, f"{FRAME} !== '{shown}'")
