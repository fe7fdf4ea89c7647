"""How a worker came to its end: the code and the clause a person reads, and whose doing it was."""

import signal
from enum import StrEnum
from typing import Final, NamedTuple

from app.engine.memory import limit

OUT_OF_MEMORY: Final = 97  # exit code of a worker that has no memory left to go on with
ASK_WHERE: Final = signal.SIGUSR1  # upon it a worker writes down where each of its threads is
_SENT_BY_OTHERS: Final = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT})


class Blame(StrEnum):
    """Whose doing a worker's end was: the place it was in, something outside Sightline, or Sightline itself."""

    PLACE = "place"
    OUTSIDE = "outside"
    OURSELVES = "ourselves"


TRIES: Final = {Blame.PLACE: 2, Blame.OUTSIDE: 6}  # what kills workers at random must not be taken for the plugin


class Ending(NamedTuple):
    """How a worker ended: a soft failure's code, the cause as a clause, whose doing it was."""

    code: str
    cause: str
    blame: Blame


STOPPED: Final = Ending("crash", "it was stopped", Blame.OURSELVES)


def ending_of(status: int, *, memory_mb: int, starved: bool) -> Ending:
    """Read an exit status. `starved`: the kernel has killed something for want of memory just now."""
    if status == OUT_OF_MEMORY:
        return Ending("memory", f"it had no memory left{limit(memory_mb)}", Blame.PLACE)
    if status >= 0:
        return Ending("crash", f"the process ended itself with exit code {status}", Blame.PLACE)
    name = _name(-status)
    if -status == signal.SIGKILL and starved:
        return Ending("memory", f"the machine ran out of memory and its kernel ended the process ({name})", Blame.PLACE)
    if -status in _SENT_BY_OTHERS:
        return Ending("crash", f"something outside Sightline ended the process ({name})", Blame.OUTSIDE)
    return Ending("crash", f"the process crashed ({name})", Blame.PLACE)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # those between SIGRTMIN and SIGRTMAX have no name
        return f"signal {number}"
