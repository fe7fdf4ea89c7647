"""Listens to what native libraries print on standard error while something is tried."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_STDERR: Final = 2
_OPENCV = re.compile(r"^\[\s*(?:WARN|ERROR|INFO|FATAL):\d+@[\d.]+\]\s*(?:global\s+)?")  # its clock differs from run to run
_ONNX_RUNTIME = re.compile(r"^(?:\x1b\[[\d;]*m)?[\d: .\-]{8,}\[[WEF]:onnxruntime:[^\]]*\]\s*|\x1b\[[\d;]*m")


@contextmanager
def overheard() -> Iterator[list[str]]:
    """Fill the list, at the end, with the lines printed to descriptor 2 meanwhile, freed of clocks; then print them on.

    Works on the whole process: only for a worker, which does one thing at a time.
    """
    lines: list[str] = []
    sys.stderr.flush()
    kept = os.dup(_STDERR)
    try:
        with tempfile.TemporaryFile() as heard:
            os.dup2(heard.fileno(), _STDERR)
            try:
                yield lines
            finally:
                sys.stderr.flush()
                os.dup2(kept, _STDERR)
                heard.seek(0)
                said = heard.read()
                _print_on(said)
                lines += _clean(said.decode(errors="replace"))
    finally:
        os.close(kept)


def _clean(said: str) -> list[str]:
    stripped = (_ONNX_RUNTIME.sub("", _OPENCV.sub("", line)).strip() for line in said.splitlines())
    return list(dict.fromkeys(line for line in stripped if line))


def _print_on(said: bytes) -> None:
    while said:
        said = said[os.write(_STDERR, said) :]
