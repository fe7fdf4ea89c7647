"""A child process that runs plugins' code and reports by lines; nothing it does or starts outlives it."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import app

_CHUNK: Final = 1 << 16
_LOOK_S: Final = 0.2  # how long it takes at most to notice that nobody wants to know any more
Stopped = Callable[[], bool]


class ReportingChild:
    """Runs `python -m module FD …` in a session of its own; FD is where it writes its lines. To be used with `with`.

    What the plugins print goes nowhere, or to `printed`, a descriptor.
    """

    def __init__(
        self, module: str, arguments: Sequence[str], descriptors: Sequence[int] = (), printed: int = subprocess.DEVNULL
    ) -> None:
        self.hung = False
        self._received = bytearray()
        self._report, theirs = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, str(theirs), *arguments],
                stdin=subprocess.DEVNULL, stdout=printed, stderr=printed, pass_fds=(theirs, *descriptors),
                env=_environment(), start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(theirs)

    def __enter__(self) -> "ReportingChild":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._report)

    def line(self, stopped: Stopped) -> bytes | None:
        """Wait for the next line, without its end; None when the child has ended, or `stopped` says that it hangs."""
        while b"\n" not in self._received:
            ready, _, _ = select.select([self._report], [], [], _LOOK_S)
            if not ready:
                if stopped():
                    self.hung = True
                    return None
                continue
            data = os.read(self._report, _CHUNK)
            if not data:
                return None
            self._received += data
        line, _, rest = bytes(self._received).partition(b"\n")
        self._received = bytearray(rest)
        return line

    def ending(self) -> str | None:
        """Say how the child ended by itself, as a clause; None where it hangs."""
        if not self.hung:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
        code = None if self.hung else self._process.poll()
        if code is None:
            return None
        return f"killed the process ({signal.Signals(-code).name})" if code < 0 else f"ended the process with exit code {code}"


def after(seconds: float, or_when: Stopped = lambda: False) -> Stopped:
    """Give a look that says to stop once so many seconds are over, or another look says so."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() > until or or_when()


def _environment() -> dict[str, str]:
    package = str(Path(app.__file__).parents[1])
    known = os.environ.get("PYTHONPATH")
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    return {**os.environ, **threads, "PYTHONPATH": os.pathsep.join(filter(None, (package, known)))}
