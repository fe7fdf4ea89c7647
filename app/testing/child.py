"""The child that makes checks: `FD RECORDER_FD JSON`; it writes to FD, line by line, what came of each."""

import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from app.domain.errors import SightlineError
from app.engine.recorder import Recorder
from app.testing.bench import bench
from app.testing.failure import CheckFailed, NotApplicable
from app.testing.golden import accept
from app.testing.harness import Harness
from app.testing.isolated import Asked, Began, Checked, Refused, Timed, Told, Verdict, encode


def main(arguments: list[str]) -> None:
    """Do what is asked, and end."""
    descriptor, recorder_fd = int(arguments[0]), int(arguments[1])
    asked = msgspec.json.decode(arguments[2], type=Asked)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for told in carry_out(asked, Recorder.open(recorder_fd)):
        os.write(descriptor, encode(told) + b"\n")
    os._exit(0)  # a plugin's threads and exit handlers have no say in it


def carry_out(asked: Asked, recorder: Recorder) -> Iterator[Told]:
    """Do what is asked and yield what came of it."""
    try:
        harness = Harness(
            Path(asked.folder), options=asked.options, device=asked.device, threads=asked.threads, recorder=recorder,
            models=Path(asked.models) if asked.models else None, pictures=Path(asked.pictures) if asked.pictures else None,
        )  # fmt: skip
    except SightlineError as error:
        yield Refused(str(error))
        return
    with harness:
        if asked.accept:
            yield Began("accept")
            yield _made("accept", lambda: accept(harness))
        for check in asked.checks:
            yield Began(check)
            yield _made(check, lambda name=check: harness.check(name))  # type: ignore[misc]  # bound at once
        if asked.bench:
            yield Began("bench")
            try:
                for row in bench(harness, asked.bench, Path(asked.source) if asked.source else None):
                    yield Timed(row)
                    yield Began("bench")
            except (SightlineError, NotApplicable) as error:
                yield Refused(str(error))
            yield Refused("")


def _made(check: str, make: Callable[[], str]) -> Checked:
    begun, facts = time.perf_counter(), dict[str, object]()
    try:
        verdict, told = Verdict.OK, make()
    except NotApplicable as reason:
        verdict, told = Verdict.SKIPPED, str(reason)
    except CheckFailed as failed:
        verdict, told, facts = Verdict.FAILED, str(failed), failed.facts
    except SightlineError as error:  # the sample cannot be read, an option does not fit
        verdict, told, facts = Verdict.FAILED, f"{check}: {error}", {"bug": str(error)}
    kept = {name: facts[name] for name in ("bug", "frame", "expected", "came", "picture", "cure") if name in facts}
    return Checked(check, verdict, told, round(time.perf_counter() - begun, 3), **kept)  # type: ignore[arg-type]  # texts, and a frame's index


if __name__ == "__main__":
    main(sys.argv[1:])
