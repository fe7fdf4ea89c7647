"""Promise 3: the control ids, found in a real browser on their pages in each state."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from app.domain.job import JobStatus
from tests.promises.change import text_of
from tests.promises.promise import Baseline, Promise, Rule
from tests.promises.subject import Subject
from tests.web.conftest import bring

FILE: Final = "tests/baselines/controls.txt"
_LIVE: Final = ("connection-state", "pause-updates")
_JOB: Final = (
    "job-status",
    "progress-bar",
    "overlay-stream",
    "overlay-image",
    "overlay-boxes",
    "toggle-boxes",
    "toggle-labels",
    "fps-slider",
    "plugin-inspector",
    "plugin-health",
    "device-usage",
    "device-decision",
    "job-breakdown",
    "job-warnings",
    "cancel-job",
    "pause-job",
    "resume-job",
    "retry-job",
)
PROMISED: Final[dict[str, tuple[str, ...]]] = {  # pages and their control ids, as docs/REQUIREMENTS.md promises them
    "/": ("new-job-form", "source-input", "plugin-picker", "device-selector", "submit-job", "job-list", *_LIVE),
    "/jobs": ("job-list",),
    "/jobs/{id}": (*_JOB, *_LIVE),
    "/plugins": ("plugin-list",),
    "/plugins/{id}": ("plugin-inspector", "plugin-health"),
    "/devices": ("device-usage",),
    "/stories": (),
}
_ELEMENTS: Final = """
() => Array.from(document.querySelectorAll('[id]'), element => [
    element.id, element.localName, element.type || '', element.checkVisibility({visibilityProperty: true}),
    Boolean(element.disabled),
])
"""
_USED: Final = {"form", "select", "img", "svg"}  # elements that others use as what they are, beside inputs and buttons
Element = tuple[str, str, str, bool, bool]  # id, tag, type of an input or button, shown, disabled


def show(subject: Subject) -> str:
    """List every promised control on each page in each state: its element, and whether it is shown and can be used."""
    parts = {}
    for page, state, elements in subject.once(pages):
        found = {element[0]: element for element in elements}
        for control in PROMISED[page]:
            if control in found:
                parts[f"{_place(page, state)} #{control}"] = _told(found[control])
    return text_of("Controls on each page in each state, as a browser has them.", parts)


def faults(subject: Subject) -> Iterator[str]:
    """Say which promised control is not on its page, and which id stands twice on one."""
    for page, state, elements in subject.once(pages):
        ids = Counter(element[0] for element in elements)
        for control in PROMISED[page]:
            if control not in ids:
                yield f"{_place(page, state)} has no #{control}."
        yield from (f"{_place(page, state)} has the id {name} {count} times." for name, count in ids.items() if count > 1)


def _told(element: Element) -> str:
    _, tag, kind, shown, disabled = element
    told = f"{tag} {kind}" if tag in ("input", "button") else tag if tag in _USED else "part"
    return ", ".join([told, "shown" if shown else "hidden", *(["disabled"] if disabled else [])])


def pages(subject: Subject) -> list[tuple[str, str, list[Element]]]:
    """Open every page in each state in a real browser: with nothing there yet, with jobs, of a job in every status."""
    context = subject.browser.new_context()
    page, api, empty = context.new_page(), subject.api, subject.serve("empty")
    try:
        seen = [(path, "no jobs", _look(page, empty.url + path)) for path in ("/", "/jobs")]
        for status in JobStatus:
            job_id = api.submit(subject.clip).json()["id"]
            bring(api, job_id, status)
            seen.append(("/jobs/{id}", status.value, _look(page, f"{api.url}/jobs/{job_id}")))
        seen += [(path, "jobs", _look(page, api.url + path)) for path in ("/", "/jobs")]
        seen += [("/plugins", "", _look(page, f"{api.url}/plugins"))]
        seen += [("/plugins/{id}", "", _look(page, f"{api.url}/plugins/people_hog"))]
        return seen + [(path, "", _look(page, api.url + path)) for path in ("/devices", "/stories")]
    finally:
        context.close()


def _look(page: Any, address: str) -> list[Element]:
    page.goto(address, wait_until="domcontentloaded")
    return [tuple(element) for element in page.evaluate(_ELEMENTS)]


def _place(page: str, state: str) -> str:
    return f"{page} ({state})" if state else page


CONTROLS = Promise(
    "controls",
    "the control ids on their pages in each state, in a real browser",
    baselines=(Baseline(FILE, show, needs="browser"),),
    rules=(Rule("every promised control is there, and no id twice", faults, needs="browser"),),
)
