"""The stories: every fragment of the pages with the canonical examples; the gallery and the tests read this one list."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec
from markupsafe import Markup

from app.domain.device import EXAMPLE_DECISION
from app.domain.geometry import Size
from app.domain.health import Health
from app.domain.job import JobStatus
from app.domain.output import EXAMPLES
from app.registry.models import ModelShelf
from app.store.plugins import PluginRecord
from app.web import story_examples as example
from app.web.assets import static_url
from app.web.contexts.breakdown import BreakdownRow, WarningView, view_breakdown, view_warning
from app.web.contexts.found import found_of
from app.web.contexts.job import JobRow, progress_of, progress_of_job, view_actions, view_row, view_status
from app.web.contexts.machine import usage_of, view_inventory, view_usage
from app.web.contexts.overlay import view_overlay
from app.web.contexts.plugin import view_card, view_choices, view_plugin
from app.web.contexts.stage import speed_of, unknown_health, view_decision, view_health, view_panel
from app.web.contexts.words import STATUS_SIGNS
from app.web.render import fragment, metric_numbers

_IDS: Final = re.compile(r'\b(id|for|aria-labelledby|aria-describedby)="([^"]+)"')
_LANDMARKS: Final = re.compile(r'(<section[^>]*?) aria-labelledby="[^"]*"')
_LINKS: Final = re.compile(r'\b(href|hx-target|hx-select)="#([^"]+)"')


@dataclass(frozen=True, slots=True)
class Story:
    """One example of a fragment; `make` gives its context when the story is told."""

    fragment: str
    title: str
    note: str
    make: Callable[[], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ToldStory:
    """A story with its HTML, whose ids are its own."""

    fragment: str
    title: str
    note: str
    html: Markup


def tell(story: Story, number: int) -> ToldStory:
    """Render a story; its ids get a prefix, so that many stories may stand on one page."""
    html = with_own_ids(fragment(story.fragment, **story.make()), f"s{number}-")
    if html.lstrip().startswith("<li"):
        html = Markup('<ul class="lines">{}</ul>').format(html)
    return ToldStory(f"fragments/{story.fragment}.html", story.title, story.note, html)


def with_own_ids(html: Markup, prefix: str) -> Markup:
    """Prefix every id of a piece of HTML, and every reference to one."""
    own = _IDS.sub(lambda found: f'{found[1]}="{" ".join(prefix + name for name in found[2].split())}"', html)
    own = _LINKS.sub(rf'\1="#{prefix}\2"', own)
    own = own.replace('name="stage"', f'name="{prefix}stage"')
    own = _LANDMARKS.sub(r"\1", own)  # the same part told several times is no landmark of the gallery
    return Markup(own)  # noqa: S704 HTML that the templates escaped already


def _status(status: JobStatus) -> Mapping[str, Any]:
    error = "Every stage was disabled." if status is JobStatus.FAILED else None
    return {"status": view_status(example.example_job(status, error=error), 2 if status is JobStatus.QUEUED else None)}


def _overlay(kind: str) -> Mapping[str, Any]:
    told = f"told {example.OVERLAY.delay_ms:g} ms after decoding"
    outputs = {"people_hog": EXAMPLES[kind]}
    return {
        "overlay": view_overlay(
            static_url("img/poster.svg"), Size(640, 360), 334, 33.4, outputs, delay=told, stages=example.STAGES
        )
    }


def _panels() -> Mapping[str, Any]:
    rows = {row.stage: row for row in example.example_breakdown()}
    found = {"people_hog": found_of("people_hog", 334, EXAMPLES["detections"])}
    stages = example.PIPELINE.stages
    return {"panels": [view_panel(s, example.STAGES, rows[s.id], found.get(s.id), 250.0) for s in stages]}


def _progress(status: JobStatus) -> Mapping[str, Any]:
    return {"progress": progress_of_job(example.example_job(status))}


def _of_unknown_length() -> Mapping[str, Any]:
    return {"progress": progress_of(msgspec.structs.replace(example.PROGRESS, progress=None, frames_total=None, eta_s=None))}


def _row() -> JobRow:
    return view_row(example.example_job(JobStatus.RUNNING))


def _job_stories() -> Iterator[Story]:
    for status in JobStatus:
        name = STATUS_SIGNS[status].word
        yield Story("job_status", name, "Where a job stands: a word and an icon.", partial(_status, status))
    for status in (JobStatus.RUNNING, JobStatus.PAUSED, JobStatus.FAILED):
        make = partial(_actions, status)
        yield Story("job_actions", f"Buttons of a job that is {status.value}", "Those that do not apply are hidden.", make)
    yield Story("job_progress", "Progress", "Live, with what is left.", lambda: {"progress": progress_of(example.PROGRESS)})
    yield Story("job_progress", "Progress, length unknown", "A bar that moves, and no per cent.", _of_unknown_length)
    yield Story("job_progress", "Progress, ended", "What was done, and how long it took.", partial(_progress, JobStatus.FAILED))
    yield Story(
        "job_metrics", "Live numbers", "Speed of the last moments.", lambda: {"numbers": metric_numbers(example.METRICS)}
    )
    for kind in EXAMPLES:
        yield Story("job_overlay", f"Overlay: {kind}", "Marks over a picture, by keyboard too.", partial(_overlay, kind))
    yield Story("job_inspector", "Inspector", "The panel of each stage; one is open.", _panels)
    yield Story("job_warning", "A warning", "Counted, with its first traceback.", partial(_warning, 0))
    yield Story("job_warnings", "Warnings", "All of a job.", lambda: {"warnings": _warnings()})
    yield Story("job_warnings", "No warnings", "The empty state.", lambda: {"warnings": []})
    yield Story("job_breakdown", "Breakdown", "Where the time went.", lambda: {"rows": _breakdown(), "url": "/stories"})
    yield Story("job_breakdown", "Breakdown, nothing yet", "The empty state.", lambda: {"rows": (), "url": "/stories"})
    yield Story("job_list", "Jobs", "Rows of a list.", lambda: {"jobs": [_row()], "empty": ""})
    yield Story(
        "job_list", "No jobs", "The empty state says what to do.", lambda: {"jobs": [], "empty": "No job yet. Start one."}
    )
    yield Story("job_list_status", "Status in a list", "", lambda: {"status": _row().status, "key": "one"})
    yield Story("job_list_progress", "Progress in a list", "", lambda: {"progress": _row().progress, "key": "one"})
    yield Story("job_list_refresh", "Asks for the list again", "Nothing to see.", dict)
    yield Story("job_list_idle", "The place of the one before", "Nothing to see.", dict)


def _actions(status: JobStatus) -> Mapping[str, Any]:
    return {"actions": view_actions("019b7d2f4a6e3c51", status)}


def _warnings() -> list[WarningView]:
    return [view_warning(warning) for warning in example.example_warnings()]


def _warning(number: int) -> Mapping[str, Any]:
    return {"warning": _warnings()[number]}


def _breakdown() -> tuple[BreakdownRow, ...]:
    return view_breakdown(example.example_breakdown(), example.STAGES)


def _stage_stories() -> Iterator[Story]:
    for kind, output in EXAMPLES.items():
        context = {"found": found_of("people_hog", 334, output), "key": kind}
        yield Story("stage_found", f"Found: {kind}", "What a stage found, in words.", partial(dict, context))
    yield Story("stage_found", "Found: nothing yet", "The empty state.", lambda: {"found": None, "key": "none"})
    yield Story(
        "stage_speed", "Speed", "Against the budget.", lambda: {"speed": speed_of(example.METRICS.stages[0]), "key": "a"}
    )
    yield Story("stage_speed", "Speed, nothing yet", "The empty state.", lambda: {"speed": None, "key": "b"})
    for health in Health:
        reason = "" if health is Health.OK else "p95 is 312.4 ms, over the budget of 250 ms."
        context = {"health": view_health("people_hog", "people_hog", health, reason), "key": health.value}
        yield Story("stage_health", f"Health: {health.value}", "", partial(dict, context))
    unknown = {"health": unknown_health("people_hog", "people_hog"), "key": "unknown"}
    yield Story("stage_health", "Health: not known yet", "", partial(dict, unknown))
    decisions = {"met": example.ON_CPU, "fell back": EXAMPLE_DECISION, "nothing ran": example.NOTHING_RAN, "not yet": None}
    for number, (name, decision) in enumerate(decisions.items()):
        context = {"decision": view_decision("shapes_dnn", decision), "key": str(number)}
        yield Story("stage_decision", f"Device: {name}", "With every attempt.", partial(dict, context))


def _machine_stories() -> Iterator[Story]:
    yield Story("device_usage", "Load", "CPU, memory, GPUs, workers.", lambda: {"usage": usage_of(example.USAGE)})
    yield Story("device_usage", "Load, nothing yet", "The empty state.", lambda: {"usage": view_usage(())})
    yield Story("device_inventory", "Inventory", "What is here.", lambda: {"inventory": view_inventory(example.INVENTORY)})
    devices = (("auto", "Automatic"), ("cpu", "CPU"))
    yield Story("device_selector", "Device selector", "", lambda: {"devices": devices, "device": "auto"})


def _plugin_stories() -> Iterator[Story]:
    found = example.example_plugins()
    choices = view_choices([plugin for plugin, _ in found], ("people_hog",))
    yield Story("plugin_picker", "Plugin picker", "One is picked.", lambda: {"choices": choices})
    yield Story("plugin_picker", "Plugin picker, nothing found", "The empty state.", lambda: {"choices": ()})
    yield Story("plugin_list", "Plugins", "Used, not used, broken.", lambda: {"cards": [view_card(*pair) for pair in found]})
    yield Story("plugin_list", "No plugins", "The empty state.", lambda: {"cards": []})
    for fragment_name, title in (("plugin_inspector", "What a plugin declares"), ("plugin_health", "Health of a plugin")):
        for number in (0, 2):
            plugin, record = found[number]
            context = {"plugin": view_plugin(plugin, record or PluginRecord(), ModelShelf(None))}
            yield Story(fragment_name, f"{title}: {plugin.id}", "", partial(dict, context))


STORIES: Final[tuple[Story, ...]] = (*_job_stories(), *_stage_stories(), *_machine_stories(), *_plugin_stories())
