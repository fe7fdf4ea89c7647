"""Runs one of this package's modules in a child process that cannot hang or eat the machine."""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

_MEMORY = 8 << 30  # bytes of address space: an 8K video decodes in a fraction of it, a hostile header does not get more
_ROOT = Path(__file__).parents[2]  # the folder that holds the package, so that the child finds it wherever it is started


class ChildFailed(Exception):
    """The child ended without an answer; the text says how, as the end of a sentence."""


async def run_child(module: str, arguments: Sequence[str], *, timeout_s: float, given: bytes = b"") -> bytes:
    """Run `python -m module`, hand it `given` on stdin and give back its stdout; raise ChildFailed, also after `timeout_s`."""
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        module,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OPENCV_LOG_LEVEL": "SILENT"},
    )
    try:
        async with asyncio.timeout(timeout_s):
            answer, _ = await process.communicate(given)
    except TimeoutError:
        raise ChildFailed(f"it took longer than {timeout_s:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise ChildFailed(_how_ended(process.returncode))
    return answer


def _how_ended(code: int) -> str:
    return f"the decoder died of {signal.Signals(-code).name}" if code < 0 else f"the decoder ended with code {code}"


def confine(limit_s: float) -> None:
    """Called first in the child: bound its memory and its life, whatever becomes of its parent."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    signal.setitimer(signal.ITIMER_REAL, limit_s + 1)  # SIGALRM ends a process that does not catch it
