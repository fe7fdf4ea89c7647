"""What differs between what is kept and what is there now: part by part, as data, and whether it breaks what others built."""

import difflib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_LONGEST_VALUE: Final = 100  # of a value within a sentence; the diff has it whole


class Kind(StrEnum):
    """What a change means to those who rely on the promise."""

    BREAKING = "breaking"  # something they use is gone or behaves differently, or the promise is not kept
    ADDITIVE = "additive"  # there is more than before, or it is worded differently
    MISSING = "missing"  # nothing is kept to compare with


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not as it is kept, or not as it is promised; `accept` says whether it can be accepted."""

    check: str
    kind: Kind
    sentence: str
    diff: str = ""
    can_accept: bool = True


@dataclass(frozen=True, slots=True)
class Part:
    """One part of what is promised that changed: None before where it is new, None now where it is gone."""

    name: str
    before: str | None
    now: str | None
    new_name: str | None = None

    @property
    def sentence(self) -> str:
        """Say in one sentence what became of it."""
        if self.new_name:
            return f"{self.name} is now called {self.new_name}."
        if self.now is None:
            return f"{self.name} is gone{f' (it was {_short(self.before)})' if self.before else ''}."
        if self.before is None:
            return f"{self.name} is new{f': {_short(self.now)}' if self.now else ''}."
        return f"{self.name} was {_short(self.before)} and is {_short(self.now)}."

    @property
    def diff(self) -> str:
        """Show the part before and now."""
        before = [] if self.before is None else [f"- {line_of(self.name, self.before)}"]
        now = [] if self.now is None else [f"+ {line_of(self.new_name or self.name, self.now)}"]
        return "\n".join(before + now)


Weigh = Callable[[Part], Kind]


def as_is(part: Part) -> Kind:
    """Weigh a part that others use as it is: more of them is additive, all else is breaking."""
    return Kind.ADDITIVE if part.before is None else Kind.BREAKING


def compare(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Part]:
    """Give the parts that changed; one gone and one new of the same place and value are one that was renamed."""
    gone = {name: value for name, value in before.items() if name not in now}
    new = {name: value for name, value in now.items() if name not in before}
    renamed = dict(_renamed(gone, new))
    for name, value in before.items():
        if name in renamed:
            yield Part(name, value, value, renamed[name])
        elif name in gone:
            yield Part(name, value, None)
        elif now[name] != value:
            yield Part(name, value, now[name])
    yield from (Part(name, None, value) for name, value in new.items() if name not in renamed.values())


def _renamed(gone: Mapping[str, str], new: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    places: dict[tuple[str, str], tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for side, parts in enumerate((gone, new)):
        for name, value in parts.items():
            place = re.match(r"(.*[.(# ?])[^.(# ?]+$", name)
            if place and value:
                places[place[1], value][side].append(name)
    for old, fresh in places.values():
        if len(old) == len(fresh) == 1:
            yield old[0], fresh[0]


def line_of(name: str, value: str) -> str:
    """Write a part as one line of a kept file."""
    return f"{name} = {value}" if value else name


def text_of(first: str, parts: Mapping[str, str]) -> str:
    """Write a kept file: a first line that says what it is, and a line to each part."""
    return "\n".join([f"# {first}", *(line_of(name, " ".join(value.split())) for name, value in parts.items()), ""])


def parts_of(text: str) -> dict[str, str]:
    """Read a kept file back into its parts."""
    lines = [line for line in text.splitlines() if line and not line.startswith("# ")]
    return {name: value for name, _, value in (line.partition(" = ") for line in lines)}


def unified(file: str, before: str, now: str) -> str:
    """Give the unified diff of a kept file."""
    lines = difflib.unified_diff(before.splitlines(), now.splitlines(), f"{file} (kept)", f"{file} (now)", lineterm="", n=2)
    return "\n".join(lines)


def _short(value: str | None) -> str:
    text = value or "nothing"
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
