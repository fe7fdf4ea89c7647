"""The form for a new job as its page shows it: where the frames come from, the device to ask for, and the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from app.devices.inventory import Inventory
from app.domain import errors
from app.domain.device import Target
from app.domain.job import Job
from app.web.choices import Choices
from app.web.contexts.machine import AVAILABLE, NOT_HERE
from app.web.contexts.plugin_devices import PossibleTarget
from app.web.contexts.stage import TARGET_NAMES

_AUTO: Final = ("auto", "Automatic: the best that works here")


@dataclass(frozen=True, slots=True)
class SourceView:
    """What a person may name instead of sending a file, with what is wrong beside each (empty where nothing is)."""

    roots: tuple[str, ...] = ()
    path: str = ""
    path_problem: str = ""
    url: str = ""
    url_problem: str = ""
    like: str = ""
    like_name: str = ""
    sent_problem: bool = False


@dataclass(frozen=True, slots=True)
class MoreView:
    """The fields that are seldom filled in; `given` says that one is."""

    name: str
    tags: str
    pace: str
    loop: str
    given: bool


def view_source(chosen: Choices, roots: Sequence[Path], like: Job | None, error: errors.SightlineError | None) -> SourceView:
    """Give the sources of the form, with an error of a source beside its field."""
    of_source = isinstance(error, errors.UnsupportedSource | errors.UnreadableMedia | errors.EmptyMedia)
    told = str(error) if of_source else ""
    return SourceView(
        roots=tuple(map(str, roots)),
        path=chosen.path,
        path_problem=told if chosen.path else "",
        url=chosen.url,
        url_problem=told if chosen.url and not chosen.path else "",
        like=like.id if like else "",
        like_name=like.source.name if like else "",
        sent_problem=of_source and not chosen.path and not chosen.url,
    )


def view_more(chosen: Choices) -> MoreView:
    """Give the seldom fields."""
    given = bool(chosen.name or chosen.tags or chosen.pace != "max" or chosen.loop != "1")
    return MoreView(chosen.name, chosen.tags, chosen.pace, chosen.loop, given)


def view_devices(inventory: Mapping[str, Any], error: errors.SightlineError | None = None) -> dict[str, Any]:
    """Give the devices to ask for, each saying whether it is here, and why not."""
    here = msgspec.convert(inventory, Inventory)
    states = {state.target: state for state in here.targets}
    options, targets = [_AUTO], []
    for target in reversed(Target):
        state = states.get(target)
        there = state is not None and state.available
        options.append((target.value, TARGET_NAMES[target] if there else f"{TARGET_NAMES[target]} (not here)"))
        if target is Target.CUDA and there and here.cuda_devices > 1:
            options += [(f"cuda:{number}", f"CUDA, GPU {number}") for number in range(here.cuda_devices)]
        reason = state.reason if state else here.problem or "OpenCV was not looked at."
        targets.append(PossibleTarget(TARGET_NAMES[target], AVAILABLE if there else NOT_HERE, reason))
    wrong = str(error) if isinstance(error, errors.BadDevice) else ""
    return {"devices": tuple(options), "targets": tuple(targets), "device_problem": wrong}
