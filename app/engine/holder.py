"""Who holds a lease or runs a job: a process, named so that others on this machine can tell whether it still lives."""

import os
import socket

import psutil


def name_of_this_process() -> str:
    """Name this process: machine, process id, and when it started (process ids are used again)."""
    started = psutil.Process().create_time()
    return f"{socket.gethostname()}/{os.getpid()}/{started:.2f}"


def is_dead(holder: str) -> bool:
    """Say whether a process of this machine has ended; of another machine's nothing is known, and its lease runs out."""
    machine, _, process = holder.partition("/")
    number, _, started = process.partition("/")
    if machine != socket.gethostname() or not number.isdecimal():
        return False
    try:
        return f"{psutil.Process(int(number)).create_time():.2f}" != started
    except psutil.NoSuchProcess:
        return True
