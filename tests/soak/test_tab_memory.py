"""A tab that shows a job's overlays live for a long time holds no more at the end than at the beginning."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import ROOT, Servers, write_clip

pytestmark = [pytest.mark.soak, pytest.mark.browser, pytest.mark.timeout(900)]
SETTINGS = {"SIGHTLINE_WORKERS": "1", "SIGHTLINE_PLUGINS_PATH": str(ROOT / "tests" / "plugins")}
WATCHED_S, SETTLED_S = 600, 60


class Held(NamedTuple):
    """What a tab holds after its rubbish was collected: kilobytes of scripts' objects, nodes of the page, listeners."""

    heap_kb: int
    nodes: int
    listeners: int


def held_by(tab: Any) -> Held:
    """Collect what nothing refers to, and weigh the rest."""
    tab.send("HeapProfiler.collectGarbage")
    counted = tab.send("Memory.getDOMCounters")
    found = {metric["name"]: metric["value"] for metric in tab.send("Performance.getMetrics")["metrics"]}
    return Held(round(found["JSHeapUsedSize"] / 1024), counted["nodes"], counted["jsEventListeners"])


def test_ten_minutes_of_live_overlay_leave_the_memory_of_a_tab_flat(
    servers: Servers, open_page: Callable[..., Any], tmp_path: Path
) -> None:
    server = servers.start(env=SETTINGS)
    clip = write_clip(tmp_path / "clip.mp4", frames=200, size=(320, 240), fps=15)
    with server.client() as client, clip.open("rb") as file:
        fields = {"plugins": "square", "pace": "realtime", "loop": "100"}
        job = client.post("/v1/jobs", files={"file": (clip.name, file)}, data=fields).raise_for_status().json()
    page = open_page(f"{server.url}/jobs/{job['id']}")
    page.evaluate(
        """() => {
          window.shown = new Set();
          const note = () => shown.add(document.querySelector("#overlay-stream .caption strong")?.innerText);
          new MutationObserver(note).observe(document.body, { subtree: true, childList: true, characterData: true });
        }"""
    )
    tab = page.context.new_cdp_session(page)
    tab.send("Performance.enable")
    page.wait_for_timeout(SETTLED_S * 1000)
    weighed = [held_by(tab)]
    for _ in range(WATCHED_S // SETTLED_S - 1):
        page.wait_for_timeout(SETTLED_S * 1000)
        weighed.append(held_by(tab))
    pictures = page.evaluate("shown.size")
    print(f"{pictures} pictures shown", *weighed, sep="\n")
    assert pictures > WATCHED_S, "the page was not live"
    first, last = weighed[0], weighed[-1]
    assert last.nodes <= first.nodes * 1.2
    assert last.listeners <= first.listeners * 1.2
    assert last.heap_kb <= first.heap_kb + 1024
