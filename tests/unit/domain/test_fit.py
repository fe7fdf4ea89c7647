"""Whether stages fit each other, each misfit told in a sentence, and how plugins named alone find each other."""

from dataclasses import replace

import pytest

from app.domain.fit import find_misfits, wire
from app.domain.pipeline import Condition, Stage, arrange
from app.domain.plugin import Capability, PluginMetadata

_PLAIN = PluginMetadata(
    id="finder", name="", version="1.0.0", description="", author="", license="", entry="plugin:X",
    capabilities=(Capability.DETECT,), output="detections", latency_budget_ms=1,
)  # fmt: skip
NOBODY = "no stage of this pipeline gives them"
KNOWN = {
    "finder": _PLAIN,
    "other": _PLAIN,
    "meter": replace(_PLAIN, id="meter", capabilities=(Capability.MEASURE,), output="measurements"),
    "masker": replace(_PLAIN, id="masker", capabilities=(Capability.SEGMENT,), output="mask"),
    "follower": replace(
        _PLAIN, id="follower", capabilities=(Capability.TRACK,), needs_pixels=False, needs_outputs=("detections",)
    ),
    "counter": replace(_PLAIN, id="counter", needs_pixels=False, needs_outputs=("tracks",)),
    "blind": replace(_PLAIN, id="blind", needs_pixels=False),
}


@pytest.mark.parametrize(
    "stages",
    [
        (Stage("a", "finder"), Stage("b", "follower", needs=("a",)), Stage("c", "counter", needs=("b",))),
        (Stage("a", "meter"), Stage("b", "finder", when=Condition("a"))),
        (Stage("a", "masker"), Stage("b", "finder", when=Condition("a", "road"))),
        (Stage("a", "finder"), Stage("b", "blind", needs=("a",))),
        (Stage("a", "finder"), Stage("m", "meter"), Stage("b", "follower", needs=("m", "a"))),
        (Stage("a", "nobody knows"), Stage("b", "follower", needs=("a",), when=Condition("a", "x"))),
    ],
)
def test_stages_that_fit_have_no_problem(stages: tuple[Stage, ...]) -> None:
    assert find_misfits(stages, KNOWN) == ()


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        (
            (Stage("f", "follower"),),
            "stage 'f' works on detections, but names no stage in its needs; no stage of this pipeline gives them",
        ),
        (
            (Stage("a", "finder"), Stage("o", "other"), Stage("f", "follower")),
            "stage 'f' works on detections, but names no stage in its needs; 'a' or 'o' gives them",
        ),
        (
            (Stage("m", "meter"), Stage("f", "follower", needs=("m",))),
            "stage 'f' works on detections, but what it needs (m) gives none; no stage of this pipeline gives them",
        ),
        (
            (Stage("a", "finder"), Stage("c", "counter", needs=("a",))),
            f"stage 'c' works on tracks (detections with track ids), but what it needs (a) gives none; {NOBODY}",
        ),
        ((Stage("b", "blind"),), "stage 'b' sees no pixels and needs no stage, so it has nothing to work on"),
        (
            (Stage("m", "meter"), Stage("a", "finder", when=Condition("m", "person"))),
            "stage 'a' runs when 'm' finds 'person', but measurements have no labels",
        ),
        (
            (Stage("m", "meter"), Stage("a", "finder", when=Condition("m", None, 0.5))),
            "stage 'a' asks 'm' for min_confidence 0.5, but measurements have none",
        ),
        (
            (Stage("m", "masker"), Stage("a", "finder", when=Condition("m", "road", 0.5))),
            "stage 'a' asks 'm' for min_confidence 0.5, but a mask has none",
        ),
    ],
)
def test_each_misfit_is_told_in_a_sentence_of_its_own(stages: tuple[Stage, ...], said: str) -> None:
    assert find_misfits(stages, KNOWN) == (said,)


def named(*plugins: str) -> dict[str, tuple[str, ...]]:
    """Wire stages named by their plugins; give who needs whom, in the order they will run."""
    return {stage.id: stage.needs for stage in arrange(wire([Stage(plugin, plugin) for plugin in plugins], KNOWN))}


def test_plugins_named_alone_find_what_they_need_of_each_other() -> None:
    chain = {"finder": (), "follower": ("finder",), "counter": ("follower",)}
    assert named("finder", "follower", "counter") == chain
    assert list(named("counter", "follower", "finder")) == list(chain)  # as they stand in a list to pick from
    assert named("counter", "follower", "finder") == chain
    assert named("finder", "other", "follower")["follower"] == ("other",)


def test_nothing_is_wired_in_a_circle_and_what_nobody_gives_stays_open() -> None:
    assert named("counter", "follower") == {"follower": (), "counter": ("follower",)}
    assert named("follower") == {"follower": ()}
    assert named("meter", "follower") == {"meter": (), "follower": ()}


def test_needs_that_were_named_are_left_as_they_are() -> None:
    stages = (Stage("finder", "finder"), Stage("other", "other"), Stage("f", "follower", needs=("finder",)))
    assert wire(stages, KNOWN) == stages
