"""Starts a worker process, with the memory and the descriptors that its parent shares with it."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import app
from app.engine.ledger import Ledger
from app.engine.recorder import Recorder


class Child(NamedTuple):
    """A worker as its parent holds it: `log_fd` gives what it prints, `fault_fd` what faulthandler writes."""

    process: subprocess.Popen[bytes]
    socket: socket.socket
    recorder: Recorder
    ledger: Ledger
    log_fd: int
    fault_fd: int


def spawn(memory_mb: int) -> Child:
    """Start a worker that may use so much memory (0: as much as there is)."""
    ours, theirs = socket.socketpair()
    recorder, recorder_fd = Recorder.create()
    ledger, ledger_fd = Ledger.create()
    fault_fd = os.memfd_create("sightline-fault", os.MFD_CLOEXEC)
    log_fd, log_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    os.set_blocking(log_end, True)
    descriptors = (theirs.fileno(), recorder_fd, ledger_fd, fault_fd)
    command = [sys.executable, "-P", "-m", "app.engine.worker", *map(str, descriptors), str(memory_mb)]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log_end, stderr=log_end, pass_fds=descriptors, env=_environment()
    )
    for descriptor in (recorder_fd, ledger_fd, log_end):
        os.close(descriptor)
    theirs.close()
    ours.setblocking(False)
    return Child(process, ours, recorder, ledger, log_fd, fault_fd)


def _environment() -> dict[str, str]:
    package = str(Path(app.__file__).parents[1])
    known = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([package, known]) if known else package,
        "PYTHONUNBUFFERED": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
