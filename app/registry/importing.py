"""Imports plugins in a child process, so that one which fails, hangs or ends its process takes nothing with it."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from app.domain.finding import Finding, Severity
from app.registry.reporting import ReportingChild, Stopped, after

PATIENCE_S: Final = 30.0  # a plugin that imports a large library takes its time
_CURE: Final = "Import only what is needed, and do the work in prepare."


class Imported(NamedTuple):
    """A plugin to be imported: its folder and its entry."""

    folder: Path
    entry: str


def import_plugins(
    wanted: Sequence[Imported], patience_s: float = PATIENCE_S, stopped: Stopped = lambda: False
) -> Iterator[tuple[Imported, tuple[Finding, ...]]]:
    """Import each plugin's class in a child and yield what the rules about its code found.

    One child does them all; after one that hangs for `patience_s` seconds, or ends the child, the next begins with the rest.
    Ends early once `stopped` says so.
    """
    left = list(wanted)
    while left:
        asked = json.dumps([[str(one.folder), one.entry] for one in left])
        with ReportingChild("app.registry.import_child", [str(patience_s), asked]) as child:
            whole = True
            while left and whole:
                line = child.line(after(patience_s, stopped))
                if stopped():
                    return
                found, whole = _read(line, child, patience_s)
                yield left.pop(0), found


def _read(line: bytes | None, child: ReportingChild, patience_s: float) -> tuple[tuple[Finding, ...], bool]:
    """Give what a line tells, and whether the child can go on."""
    if line is None:
        ending = child.ending() or f"took longer than {patience_s:g} s and was ended"
        return (_finding(f"its import {ending}"),), False
    try:
        return msgspec.json.decode(line, type=tuple[Finding, ...]), True
    except msgspec.DecodeError:
        return (_finding("its import wrote to a file that is not its own"),), False


def _finding(message: str) -> Finding:
    return Finding("import-comes-to-an-end", Severity.ERROR, "plugin.toml", message, _CURE)
