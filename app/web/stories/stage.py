"""Stories of the stages of a job: what each found, how fast and how well it is, where it runs and why."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

import msgspec

from app.domain.device import EXAMPLE_DECISION
from app.domain.health import Health
from app.domain.output import EXAMPLES, Detections, Output
from app.web.contexts.found import found_of
from app.web.contexts.speed import speed_not_yet, speed_of
from app.web.contexts.stage import unknown_health, view_decision, view_health
from app.web.contexts.words import HEALTH_SIGNS
from app.web.stories import examples as example
from app.web.stories.story import Story

_WORDS: Final = {
    "detections": "circle #4",
    "classification": "street",
    "text": "EXIT 12",
    "keypoints": "left_eye",
    "mask": "road",
    "measurements": "sharpness",
}


def _found(output: Output | None, key: str) -> Mapping[str, Any]:
    return {"found": None if output is None else found_of("people_hog", 334, output), "key": key}


def _found_stories() -> Iterator[Story]:
    for kind, output in EXAMPLES.items():
        make = partial(_found, output, kind)
        yield Story("stage_found", f"Found: {kind}", "What a stage found, in words.", make, ("Frame 334", _WORDS[kind]))
    yield Story(
        "stage_found", "Found: nothing", "It looked and saw nothing.", partial(_found, Detections(()), "zero"), ("Frame 334",)
    )
    many = partial(_found, example.detections(1000), "many")
    yield Story("stage_found", "Found: a thousand things", "The first ones, and how many more.", many, ("and 994 more",))
    yield Story("stage_found", "Found: not yet", "The empty state.", partial(_found, None, "none"), ("Nothing to show yet",))


def _stories() -> Iterator[Story]:
    stage = example.METRICS.stages[0]
    slow = msgspec.structs.replace(stage, p95_ms=312.4, over_budget=34)
    for title, measured, shows in (
        ("Speed", stage, ("26.9 fps", "p95 uses 56 % of the budget")),
        ("Speed, over the budget", slow, ("208 % of the budget",)),
        ("Speed, without a budget", msgspec.structs.replace(stage, budget_ms=None), ("26.9 fps",)),
    ):
        context = {"speed": speed_of(measured), "key": "a"}
        yield Story("stage_speed", title, "Over the last moments.", partial(dict, context), shows)
    yield Story(
        "stage_speed",
        "Speed, nothing yet",
        "The empty state.",
        lambda: {"speed": speed_not_yet("b", 250.0), "key": "b"},
        ("No frame timed",),
    )
    for health in Health:
        reason = "" if health is Health.OK else example.SLOW
        context = {"health": view_health("people_hog", "people_hog", health, reason), "key": health.value}
        told = ("people_hog", HEALTH_SIGNS[health].word, *filter(None, [reason]))
        yield Story("stage_health", f"Health: {health.value}", "", partial(dict, context), told)
    unknown = {"health": unknown_health("people_hog", "people_hog"), "key": "unknown"}
    yield Story("stage_health", "Health: not known yet", "", partial(dict, unknown), ("Not known yet",))
    decisions = {
        "met": (example.ON_CPU, "Ran on CPU"),
        "fell back": (EXAMPLE_DECISION, "Fell back to CPU"),
        "nothing ran": (example.NOTHING_RAN, "Ran on nothing"),
        "not yet": (None, "Not decided yet"),
    }
    for number, (name, (decision, word)) in enumerate(decisions.items()):
        context = {"decision": view_decision("shapes_dnn", decision), "key": str(number)}
        yield Story("stage_decision", f"Device: {name}", "With every attempt.", partial(dict, context), ("shapes_dnn", word))


STAGE_STORIES: Final = (*_found_stories(), *_stories())
