"""A network that does not hold: a relay before a server that cuts every connection."""

import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def cutting_relay(url: str, first: int = 900, step: int = 130) -> Iterator[str]:
    """Stand before a server and cut each connection a little later than the one before: in the opening, then live.

    The first is cut after so many bytes, each after it so many bytes later.
    """
    host, _, port = url.removeprefix("http://").partition(":")
    listener = socket.create_server(("127.0.0.1", 0))

    def carry(near: socket.socket, left: int) -> None:
        with near, socket.create_connection((host, int(port))) as far, suppress(OSError):
            far.sendall(near.recv(65536))
            while left > 0 and (chunk := far.recv(min(left, 65536))):
                near.sendall(chunk)
                left -= len(chunk)

    def accept() -> None:
        with suppress(OSError):  # closed: the test is over
            for after_bytes in itertools.count(first, step):
                near, _ = listener.accept()
                threading.Thread(target=carry, args=(near, after_bytes), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()
