"""The worker: a child process that reads tasks from a socket and carries them out, one after the other."""

import ctypes
import faulthandler
import os
import resource
import signal
import socket
import sys
import time
import traceback
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Final

from app.engine.ending import ASK_WHERE, OUT_OF_MEMORY
from app.engine.ledger import Ledger
from app.engine.memory import bound
from app.engine.messages import HEADER_BYTES, Order, Ready, Report, body_length, decode_order, pack
from app.engine.recorder import Recorder
from app.engine.tasks import FollowTask, Task

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_PR_SET_PDEATHSIG: Final = 1
_READ_BYTES: Final = 1 << 16


class Line:
    """The worker's end of the socket. A report that may be dropped is dropped while the other side is not reading."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._received = bytearray()
        self._unsent = bytearray()

    def tell(self, report: Report, droppable: bool) -> None:
        """Send a report; blocks for one that must arrive."""
        if droppable:
            self._push()
            if self._unsent:
                return
        self._unsent += pack(report)
        if droppable:
            self._push()
        else:
            self._socket.sendall(self._unsent)
            self._unsent.clear()

    def orders(self, *, wait: bool) -> list[Order]:
        """Give the orders that have come in; with `wait`, at least one. Raises EOFError when the other side is gone."""
        orders: list[Order] = []
        while True:
            while (order := self._take()) is not None:
                orders.append(order)
            if orders and wait:
                return orders
            try:
                data = self._socket.recv(_READ_BYTES, 0 if wait else socket.MSG_DONTWAIT)
            except BlockingIOError:
                return orders
            if not data:
                raise EOFError
            self._received += data

    def _take(self) -> Order | None:
        if len(self._received) < HEADER_BYTES:
            return None
        end = HEADER_BYTES + body_length(bytes(self._received[:HEADER_BYTES]))
        if len(self._received) < end:
            return None
        order: Order = decode_order(bytes(self._received[HEADER_BYTES:end]))
        del self._received[:end]
        return order

    def _push(self) -> None:
        with suppress(BlockingIOError):
            while self._unsent:
                sent = self._socket.send(self._unsent, socket.MSG_DONTWAIT)
                del self._unsent[:sent]


def settle() -> None:
    """Make this process a good worker: keeps freed memory, leaves no core dump, ends with its parent."""
    libc = ctypes.CDLL(None)
    with suppress(AttributeError):  # mallopt is glibc's
        libc.mallopt(_M_MMAP_THRESHOLD, 32 << 20)  # else memory goes back to the system on every frame
        libc.mallopt(_M_TRIM_THRESHOLD, 512 << 20)
    with suppress(AttributeError):
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # should the machine run out of memory, a worker is to go rather than the server
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides


def serve(line: Line, recorder: Recorder, ledger: Ledger, *, memory_mb: int, started: float) -> None:
    """Carry out tasks until the other side hangs up."""
    # After `settle`, for the memory settings must come first; the decoders before the first task, which would wait for them.
    import app.media.sources.image  # noqa: PLC0415  # see above
    import app.media.sources.video  # noqa: F401, PLC0415  # see above
    from app.engine.work import Workbench  # noqa: PLC0415  # see above

    waiting: deque[Task] = deque()

    def sort(orders: list[Order]) -> None:
        for order in orders:
            if isinstance(order, FollowTask):  # short, and whole rows wait for it: goes before the segments, in its order
                waiting.insert(sum(isinstance(task, FollowTask) for task in waiting), order)
            elif isinstance(order, Task):
                waiting.append(order)
            else:
                bench.obey(order)

    bench = Workbench(recorder, ledger, line.tell, lambda: sort(line.orders(wait=False)))
    bound(memory_mb)
    line.tell(Ready((time.perf_counter() - started) * 1000), False)
    while True:
        sort(line.orders(wait=not waiting))
        if waiting:
            line.tell(bench.carry_out(waiting.popleft()), False)


def main(arguments: list[str]) -> None:
    """Start: `SOCKET_FD RECORDER_FD LEDGER_FD FAULT_FD MEMORY_MB`, descriptors inherited from the parent."""
    started = time.perf_counter()
    socket_fd, recorder_fd, ledger_fd, fault_fd, memory_mb = map(int, arguments)
    parent = os.getppid()
    settle()
    if os.getppid() != parent:  # the parent ended before the death signal was set
        return
    faulthandler.enable(fault_fd, all_threads=False)
    faulthandler.register(ASK_WHERE, fault_fd, all_threads=True)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        line, ledger = Line(socket.socket(fileno=socket_fd)), Ledger.open(ledger_fd)
        try:
            serve(line, Recorder.open(recorder_fd), ledger, memory_mb=memory_mb, started=started)
        except MemoryError:  # nothing can be done here any more; the parent goes on with what is finished
            os.write(fault_fd, traceback.format_exc().encode())
            os._exit(OUT_OF_MEMORY)


if __name__ == "__main__":
    main(sys.argv[1:])
