"""How a check ends that does not hold, or does not apply."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from app.domain.errors import BrokenPlugin
from app.domain.output import Output

_SHOWN = 400


class CheckFailed(BrokenPlugin, AssertionError):
    """A plugin breaks what the engine relies on; the text names the bug, the frame, what was expected and what came."""

    sentence = "{told}"

    @classmethod
    def on(
        cls,
        check: str,
        bug: str,
        *,
        cure: str = "",
        frame: int | None = None,
        expected: str = "",
        came: str = "",
        picture: Path | None = None,
    ) -> "CheckFailed":
        """Build the failure; `frame` is an index, `picture` a PNG of it with what was expected and what came drawn on it."""
        named = {"expected": expected, "came": came, "picture": str(picture) if picture else "", "cure": cure}
        lines = [f"{check}: {bug}{'' if frame is None else f' (frame {frame})'}"]
        lines += [f"  {name + ':':<9} {value}" for name, value in named.items() if value]
        return cls(told="\n".join(lines), check=check, bug=bug, frame=frame, **named)


class NotApplicable(Exception):
    """A check says nothing about this plugin; the text says why."""


def shown(what: Output | Any) -> str:
    """Show an output, or a list of numbers, shortly: as the JSON it is stored as."""
    text = msgspec.json.encode(what, enc_hook=repr).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"


def listed(words: Sequence[str]) -> str:
    """Join words for a sentence."""
    return ", ".join(words) or "nothing"
