"""The pages' manners in a real Chromium: keyboard alone, eight tabs, nothing that jumps, and axe-core on every state."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Server, wait_until, write_clip
from tests.web.accessibility import flaws_of
from tests.web.browsing import STATE, becomes, going_on, submit

pytestmark = pytest.mark.browser
WATCH_SHIFTS = """
  window.shifts = [];
  new PerformanceObserver(list => {
    for (const shift of list.getEntries()) {
      const where = shift.sources.map(({node}) => node?.id || node?.className?.baseVal || node?.className || node?.nodeName);
      if (!shift.hadRecentInput) shifts.push([shift.value, ...where]);
    }
  }).observe({type: "layout-shift", buffered: true});
"""


@pytest.fixture(scope="module")
def slow_job(house: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A job that runs at its clip's own pace for long, with a stage that fails now and then; cancelled at the end."""
    stages = '{"stages": [{"plugin": "square"}, {"plugin": "faulty", "options": {"what": "raise", "every": 20}}]}'
    clip = write_clip(tmp_path_factory.mktemp("slow") / "clip.mp4", frames=60, fps=10)
    with going_on(house, clip, pipeline=stages, loop="100", name="slow and steady") as job_id:
        yield job_id


def tab_to(page: Any, selector: str) -> None:
    """Press the tabulator until an element has the focus."""
    for _ in range(150):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"{selector} cannot be reached with the keyboard")


def test_a_job_is_made_watched_and_ended_with_the_keyboard_alone(
    house: Server, open_page: Callable[..., Any], tmp_path: Path
) -> None:
    page = open_page(house.url)
    page.on("filechooser", lambda chooser: None)  # Chromium takes its time to hand the choosers over: ask before the key
    tab_to(page, "#source-input")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(write_clip(tmp_path / "keys.mp4", frames=100, fps=10))
    tab_to(page, "input[value=motion_mog2]")
    page.keyboard.press("Space")
    tab_to(page, "#submit-job")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/*", wait_until="domcontentloaded")
    tab_to(page, "#toggle-labels")
    page.keyboard.press("Space")
    assert not page.is_checked("#toggle-labels")
    becomes(page, "document.querySelector('#overlay-boxes .mark')")
    tab_to(page, "#inspect-motion_mog2 summary")
    becomes(page, f"{STATE} === 'ended'")
    tab_to(page, "a, button, input, summary")
    outline = "getComputedStyle(document.activeElement)"
    assert page.evaluate(f"{outline}.outlineStyle !== 'none' || {outline}.boxShadow !== 'none'"), "the focus is not seen"
    assert page.get_attribute("#progress-bar", "aria-valuenow") == "100"


def test_nothing_jumps_while_fragments_arrive(house: Server, slow_job: str, open_page: Callable[..., Any]) -> None:
    for path in (f"/jobs/{slow_job}", "/", "/devices"):
        page = open_page(f"{house.url}/sign-in", viewport={"width": 1280, "height": 900})
        page.add_init_script(WATCH_SHIFTS)
        page.goto(house.url + path, wait_until="domcontentloaded")
        page.evaluate("window.arrived = 0; document.addEventListener('htmx:sse:after:message', () => { arrived += 1; })")
        becomes(page, f"{STATE} === 'live' && arrived >= 12")
        shifts = page.evaluate("shifts")
        assert sum(value for value, *_ in shifts) < 0.02, f"{path} jumps: {shifts}"


def hide(page: Any) -> None:
    """Put a tab behind the others, as a browser does (in a test's browser every tab counts as seen)."""
    page.evaluate(
        """() => { Object.defineProperty(document, 'hidden', {get: () => window.behind, configurable: true});
        window.behind = true; document.dispatchEvent(new Event('visibilitychange')); }"""
    )


def bring(page: Any) -> None:
    """Bring a tab to the front again."""
    page.evaluate("window.behind = false; document.dispatchEvent(new Event('visibilitychange'))")


BORN_BEHIND = "window.behind = true; Object.defineProperty(document, 'hidden', {get: () => window.behind, configurable: true});"


def test_eight_tabs_do_not_starve_each_other(house: Server, slow_job: str, browser: Any) -> None:
    context = browser.new_context()  # tabs of one browser share its six connections to a server
    try:
        tabs = []
        for number in range(8):
            page = context.new_page()
            if number >= 4:  # opened behind, as with the middle button
                page.add_init_script(BORN_BEHIND)
            page.goto(f"{house.url}/jobs/{slow_job}", wait_until="domcontentloaded")
            if number < 4:
                becomes(page, f"{STATE} === 'live'")
                hide(page)
            tabs.append(page)
        for page in tabs:
            bring(page)
            becomes(page, f"{STATE} === 'live'")
            frame = page.inner_text("#overlay-stream .caption strong")
            becomes(page, f"document.querySelector('#overlay-stream .caption strong').innerText !== '{frame}'")
            hide(page)
        with house.client() as client:
            wait_until(lambda: not client.get("/v1/insights/subscribers").json()["items"], "every tab behind to let go")
    finally:
        context.close()


@pytest.fixture(scope="module")
def states(house: Server, slow_job: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Addresses of the pages in the states a person meets: a job in trouble, two jobs compared, a plugin that failed."""
    clip = write_clip(tmp_path_factory.mktemp("states") / "clip.mp4", frames=60, fps=10)
    failing = '{"stages": [{"plugin": "square"}, {"plugin": "faulty", "options": {"what": "raise", "every": 1}}]}'
    troubled, plain = submit(house, clip, pipeline=failing, name="in trouble"), submit(house, clip, plugins="square")
    with house.client() as client:
        for job in (troubled, plain):
            wait_until(lambda job=job: client.get(f"/v1/jobs/{job}").json()["finished_at"], "a short job to end")
    return [f"/jobs/{troubled}", f"/jobs/{slow_job}", f"/compare?job={troubled}&job={plain}", "/compare", "/plugins/faulty",
            "/jobs?status=failed", "/?plugin=square", "/nowhere"]  # fmt: skip


@pytest.mark.parametrize(("scheme", "width"), [("dark", 320), pytest.param("light", 1280, marks=pytest.mark.soak)])
def test_axe_finds_nothing_in_any_state(  # noqa: PLR0917 five fixtures and two looks
    house: Server, states: list[str], open_page: Callable[..., Any], complaints: list[str], axe: str, scheme: str, width: int
) -> None:
    page = open_page(house.url, color_scheme=scheme, viewport={"width": width, "height": 800}, reduced_motion="reduce")
    for path in states:
        page.goto(house.url + path, wait_until="domcontentloaded")
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
        assert flaws_of(page, axe) == [], f"{path} at {width} px, {scheme}"
    complaints[:] = [said for said in complaints if "Failed to load resource" not in said]  # the page that is not there
