"""Makes checks and benches in a child process, so that a plugin that crashes or hangs is a failed check and no more."""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from enum import StrEnum
from typing import Any, Final

import msgspec

from app.engine.recorder import FIRST_STAGE, PREPARE, Position, Recorder
from app.registry.reporting import ReportingChild, Stopped
from app.testing.bench import BenchRow

_FRAME_S: Final = 30.0  # as long as a stage may take for a frame, unless a job says otherwise
_PREPARE_S: Final = 300.0


class Verdict(StrEnum):
    """What came of a check: it holds, it does not, or it says nothing about this plugin."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


class Asked(msgspec.Struct, frozen=True):
    """What the child is to do with the plugin in `folder`: make `checks`, accept its golden output, or time `bench` frames."""

    folder: str
    options: dict[str, Any] = {}
    device: str = "cpu"
    models: str | None = None
    pictures: str | None = None
    checks: tuple[str, ...] = ()
    accept: bool = False
    bench: int = 0
    source: str | None = None
    threads: int = 1


class Checked(msgspec.Struct, frozen=True, tag="checked"):
    """What came of a check: `told` in words; where it failed, the bug, the frame, what was expected, what came, a picture."""

    check: str
    verdict: Verdict
    told: str
    took_s: float = 0.0
    bug: str = ""
    frame: int | None = None
    expected: str = ""
    came: str = ""
    picture: str = ""
    cure: str = ""


class Began(msgspec.Struct, frozen=True, tag="began"):
    """The child is at a check now."""

    check: str


class Timed(msgspec.Struct, frozen=True, tag="timed"):
    """A target was timed."""

    row: BenchRow


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The child could not begin: the sentence says why."""

    told: str


Told = Checked | Began | Timed | Refused
encode = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Told).decode


def carry_out(
    asked: Asked, printed: int = subprocess.DEVNULL, frame_s: float = _FRAME_S
) -> Iterator[Checked | Timed | Refused]:
    """Do what is asked in a child; a check in which the child dies or hangs has failed, and the next ones go on without it.

    It hangs when it stays on a frame for `frame_s` seconds. What the plugin prints goes to `printed`, a descriptor.
    """
    left: Sequence[str] = asked.checks
    while True:
        recorder, descriptor = Recorder.create()
        words = encode(msgspec.structs.replace(asked, checks=tuple(left))).decode()
        try:
            child = ReportingChild("app.testing.child", [str(descriptor), words], [descriptor], printed)
        finally:
            os.close(descriptor)
        with closing(recorder), child:
            at = ""
            while (line := child.line(_stands_still(recorder, frame_s))) is not None:
                told = _decode(line)
                at = told.check if isinstance(told, Began) else ""
                if not isinstance(told, Began):
                    yield told
            ending = child.ending()
            if not at and ending == "ended the process with exit code 0":
                return
            yield _lost(at or "start", ending, recorder.read())
        left = left[left.index(at) + 1 :] if at in left else left if at == "accept" else ()
        asked = msgspec.structs.replace(asked, accept=False)
        if not left:
            return


def _stands_still(recorder: Recorder, frame_s: float) -> Stopped:
    """Give a look that says when the child has been on one frame, or coming up and preparing, for too long."""
    seen, since = recorder.read(), time.monotonic()

    def look() -> bool:
        nonlocal seen, since
        now = recorder.read()
        if now != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since > (frame_s if seen.place >= FIRST_STAGE else _PREPARE_S)

    return look


def _lost(check: str, ending: str | None, position: Position) -> Checked:
    on_frame = position.place >= FIRST_STAGE
    where = f" on frame {position.frame}" if on_frame else " in prepare" if position.place == PREPARE else ""
    bug = f"the plugin {ending}{where}" if ending else f"the plugin hangs{where}"
    cure = "A job loses the frame and starts the worker anew; that takes time, so mend it."
    told = f"{check}: {bug}\n  cure:     {cure}"
    return Checked(check, Verdict.FAILED, told, bug=bug, frame=position.frame if on_frame else None, cure=cure)
