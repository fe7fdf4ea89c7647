"""Stories of plugins: how they are listed, explained, tried on a picture, and how they did."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

import msgspec

from app.devices.inventory import Inventory
from app.domain.device import EXAMPLE_DECISION
from app.domain.geometry import Size
from app.domain.job import JobStatus
from app.domain.output import EXAMPLES
from app.registry.models import ModelShelf
from app.store.plugin_history import DeviceRecord, PluginHistory
from app.store.plugins import PluginRecord
from app.web.assets import static_url
from app.web.contexts.found import found_of
from app.web.contexts.option_form import view_fields
from app.web.contexts.overlay import view_overlay
from app.web.contexts.plugin import view_cards, view_plugin
from app.web.contexts.plugin_devices import view_devices
from app.web.contexts.plugin_history import view_history, view_tally, view_troubles
from app.web.contexts.plugin_plot import view_plot
from app.web.contexts.stage import view_decision
from app.web.contexts.trial import TAG, TrialView, view_trial
from app.web.stories import examples as example
from app.web.stories.story import Story

_SHELF: Final = ModelShelf(None)


def _lists() -> Iterator[Story]:
    found = example.example_plugins()
    plugins = [plugin for plugin, _ in found]
    records = {plugin.id: record for plugin, record in found if record}
    for title, note, shown, wanted, words in (
        ("Plugins", "Used, not used, broken.", plugins, "", ("People (HOG)", "Degraded", "Not used yet", "Broken")),
        ("No plugin with a capability", "The way back.", plugins, "track", ("No plugin here can",)),
        ("No plugins", "The empty state.", [], "", ("No plugin was found.",)),
    ):
        yield Story("plugin_list", title, note, partial(_overview, shown, records, wanted), words)
    for name, told, says in (
        ("versions and uses", example.HISTORY, ("1.1.0", "Crossing, camera 2")),
        ("never used", PluginHistory(), ("No job has used it yet.",)),
    ):
        versions, uses = view_history(told)
        yield Story("plugin_history", f"History: {name}", "", partial(dict, {"versions": versions, "uses": uses}), says)


def _overview(plugins: Any, records: Any, wanted: str) -> Mapping[str, Any]:
    return {"overview": view_cards(plugins, records, _SHELF, wanted)}


def _view(number: int) -> dict[str, Any]:
    plugin, record = example.example_plugins()[number]
    return {"plugin": view_plugin(plugin, record or PluginRecord(), _SHELF)}


def _explained() -> Iterator[Story]:
    names = ("people_hog", "motion_mog2", "blink_counter")
    says = ("Nothing is wrong with it", "It has no README.md.", "Latency_budget_ms is -5")
    for number, name in enumerate(names):
        history = example.HISTORY if number == 0 else PluginHistory()
        view, told = _view(number), {"tally": view_tally(history), "troubles": view_troubles(history)}
        declares = ("Least confidence", "250 ms per frame") if number == 0 else (says[number],)
        yield Story("plugin_inspector", f"What a plugin declares: {name}", "", partial(dict, view), declares)
        yield Story("plugin_parts", f"Options, models, findings: {name}", "", partial(dict, view), (says[number],))
        health = (("Degraded", "2,385"), ("Not used yet",), ("Broken",))[number]
        yield Story("plugin_health", f"Health of a plugin: {name}", "", partial(dict, {**view, **told}), health)
    about = {**_view(0), "key": "people"}
    yield Story("plugin_about", "A plugin in a stage's panel", "", lambda: about, ("Least confidence", "its page"))


def _measured() -> Iterator[Story]:
    for name, uses, words in (
        ("two versions", example.HISTORY.uses, ("In its newest use p95 was", "of the 65 ms it promises")),
        ("never used", (), ("No frame was timed yet.",)),
    ):
        plot = {**_view(0), "plot": view_plot(uses, 65.0)}
        yield Story("plugin_plot", f"Promise and real times: {name}", "p50 to p95, use by use.", partial(dict, plot), words)
    here = msgspec.convert(example.INVENTORY, Inventory)
    decisions = (example.ON_CPU, EXAMPLE_DECISION, example.NOTHING_RAN)
    made = [DeviceRecord(decision, "019b7d2f4a6e3c51", example.AT, 3) for decision in decisions]
    plugin, _ = example.example_plugins()[0]
    if plugin.metadata:
        for name, records, words in (
            ("decided", made, ("3 times", "Ran on CPU")),
            ("never used", [], ("No job has decided on a device",)),
        ):
            devices = {"devices": view_devices(plugin.metadata, records, here)}
            yield Story("plugin_devices", f"Devices of a plugin: {name}", "With the reason.", partial(dict, devices), words)


def _trials() -> Iterator[Story]:
    for name, status, words in (
        ("done", JobStatus.COMPLETED, ("found", "The plugin took")),
        ("at work", JobStatus.RUNNING, ("Looking at",)),
        ("failed", JobStatus.FAILED, ("Every stage was disabled.", "no contour")),
    ):
        yield Story("plugin_trial", f"A trial, {name}", "", partial(dict, {"trial": _trial(status)}), words)
    plugin, _ = example.example_plugins()[0]
    context = {
        **_view(0), "fields": view_fields(plugin.metadata, {}, None) if plugin.metadata else (),
        "sample": True, "limit": "4.1 GB", "tag": TAG, "trial": None, "problem": "", "cure": "",
    }  # fmt: skip
    yield Story("plugin_try", "Try it on a picture", "Nothing yet.", lambda: {**context, "alone": True}, ("Look at it",))
    follows = ("what other stages find",)
    yield Story("plugin_try", "Nothing to try", "It follows other stages.", lambda: {**context, "alone": False}, follows)


def _trial(status: JobStatus) -> TrialView:
    failed = status is JobStatus.FAILED
    output = EXAMPLES["detections"]
    outputs = {} if failed else {"people_hog": output}
    row = next(row for row in example.example_breakdown() if row.stage == "people_hog")
    return view_trial(
        example.example_job(status, error="Every stage was disabled." if failed else None),
        None if failed else row,
        overlay=view_overlay(static_url("img/poster.svg"), Size(640, 360), 0, None, outputs, stages=example.STAGES),
        found=None if failed else found_of("people_hog", 0, output),
        decision=view_decision("people_hog", example.ON_CPU),
        warnings=tuple(example.example_warnings()[:1]) if failed else (),
    )


PLUGIN_STORIES: Final = (*_lists(), *_explained(), *_measured(), *_trials())
