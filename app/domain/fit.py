"""Whether the stages of a pipeline fit each other: what each reads of the others, by what their plugins declare."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from app.domain.output import LABELLED_KINDS, RATED_KINDS, TRACKS
from app.domain.pipeline import Stage
from app.domain.plugin import PluginMetadata

_WORDS: Final = {"classification": "a classification", "mask": "a mask", TRACKS: "tracks (detections with track ids)"}
Known = Mapping[str, PluginMetadata]


def find_misfits(stages: Sequence[Stage], known: Known) -> tuple[str, ...]:
    """Say what keeps stages from working together; `known` gives plugins by id, and a stage of another one is let be."""
    by_id = {stage.id: stage for stage in stages if stage.plugin in known}
    return tuple(
        problem
        for stage in by_id.values()
        for problem in (*_unread(stage, by_id, known), *_unfit_condition(stage, by_id, known))
    )


def wire(stages: Sequence[Stage], known: Known) -> tuple[Stage, ...]:
    """Give stages that were named by their plugins alone the needs that their plugins declare.

    Each takes what it reads from the nearest stage before it, or else behind it, that gives it; of these one that works on
    pixels goes first. Nothing is wired in a circle, and what no stage gives stays open.
    """
    wired = {stage.id: stage for stage in stages}
    order = list(wired)
    for place, stage in enumerate(stages):
        wanted = known[stage.plugin].needs_outputs if stage.plugin in known and not stage.needs else ()
        for kind in wanted:
            givers = [other for other in _givers(kind, wired, known) if not _needs(wired, other, stage.id)]
            if givers and not set(wired[stage.id].needs) & set(givers):
                nearest = min(givers, key=lambda other: _distance(place, order.index(other), known[wired[other].plugin]))
                needs = (*wired[stage.id].needs, nearest)
                wired[stage.id] = msgspec.structs.replace(wired[stage.id], needs=needs)
    return tuple(wired.values())


def _distance(place: int, other: int, metadata: PluginMetadata) -> tuple[bool, bool, int]:
    return not metadata.needs_pixels, other > place, abs(place - other)


def _givers(kind: str, stages: Mapping[str, Stage], known: Known) -> list[str]:
    return [name for name, stage in stages.items() if stage.plugin in known and kind in known[stage.plugin].gives]


def _needs(stages: Mapping[str, Stage], one: str, other: str) -> bool:
    """Say whether a stage is another, or waits for it, directly or through others."""
    waiting, seen = [one], set[str]()
    while waiting:
        name = waiting.pop()
        if name == other:
            return True
        if name in stages and name not in seen:
            seen.add(name)
            waiting += stages[name].upstream
    return False


def _unread(stage: Stage, stages: Mapping[str, Stage], known: Known) -> list[str]:
    """What a stage's plugin reads of earlier stages, and is not given by those it needs."""
    declared = known[stage.plugin]
    if not declared.needs_pixels and not declared.needs_outputs and not stage.needs:
        return [f"stage {stage.id!r} sees no pixels and needs no stage, so it has nothing to work on"]
    if any(need not in stages for need in stage.needs):
        return []  # told already, or of a plugin nobody knows
    given = {kind for need in stage.needs for kind in known[stages[need].plugin].gives}
    problems = []
    for kind in declared.needs_outputs:
        if kind in given:
            continue
        givers = [name for name in _givers(kind, stages, known) if not _needs(stages, name, stage.id)]
        able = f"{_among(givers)} gives them" if givers else "no stage of this pipeline gives them"
        lacks = f"what it needs ({', '.join(stage.needs)}) gives none" if stage.needs else "names no stage in its needs"
        problems.append(f"stage {stage.id!r} works on {_WORDS.get(kind, kind)}, but {lacks}; {able}")
    return problems


def _among(names: Sequence[str]) -> str:
    return " or ".join(repr(name) for name in names)


def _unfit_condition(stage: Stage, stages: Mapping[str, Stage], known: Known) -> list[str]:
    """What a stage's `when` asks of another stage that this one's output does not have."""
    when = stage.when
    if when is None or when.stage not in stages:
        return []
    kind = known[stages[when.stage].plugin].output
    problems = []
    if when.label is not None and kind not in LABELLED_KINDS:
        problems.append(f"stage {stage.id!r} runs when {when.stage!r} finds {when.label!r}, but {kind} have no labels")
    if when.min_confidence and kind not in RATED_KINDS:
        noun = "a mask has" if kind == "mask" else f"{kind} have"
        problems.append(f"stage {stage.id!r} asks {when.stage!r} for min_confidence {when.min_confidence:g}, but {noun} none")
    return problems
