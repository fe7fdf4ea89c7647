"""Many light clients in one process: they count messages, and every tenth measures how old each one is when it comes."""

import json
import re
import select
import socket
import sys
import time
from datetime import datetime

_SAMPLED = 10
_AT = re.compile(rb'"at":"([^"]+)"')
_REQUEST = b"GET %s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"


class Readers:
    """Open connections to one address; `go` reads them all until a line comes on stdin.

    `receive_bytes` bounds what the kernel takes for each that is not read; it would else grow to megabytes by itself.
    """

    def __init__(self, port: int, path: str, count: int, receive_bytes: int | None = None) -> None:
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._open_ends: set[int] = set()
        for _ in range(count):
            connection = socket.socket()
            if receive_bytes is not None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            connection.connect(("127.0.0.1", port))
            connection.sendall(_REQUEST % path.encode())
            connection.setblocking(False)
            self._sockets[connection.fileno()] = connection
            self._poll.register(connection.fileno(), select.EPOLLIN)
        self._sampled = set(list(self._sockets)[::_SAMPLED])
        self._poll.register(sys.stdin.fileno(), select.EPOLLIN)
        self.messages = 0
        self.bytes = 0
        self.ages_ms: list[float] = []

    def go(self) -> str:
        """Read until told something; give what was told."""
        while True:
            for number, _ in self._poll.poll():
                if number == sys.stdin.fileno():
                    return sys.stdin.readline().strip()
                self._read(number)

    def _read(self, number: int) -> None:
        try:
            chunk = self._sockets[number].recv(262_144)
        except BlockingIOError:
            return
        if not chunk:
            self._poll.unregister(number)
            return
        now = time.time()
        self.bytes += len(chunk)
        self.messages += chunk.count(b"\n\n") + (number in self._open_ends and chunk.startswith(b"\n"))
        if chunk.endswith(b"\n") and not chunk.endswith(b"\n\n"):
            self._open_ends.add(number)
        else:
            self._open_ends.discard(number)
        if number in self._sampled:
            for at in _AT.findall(chunk):
                self.ages_ms.append((now - datetime.fromisoformat(at.decode()).timestamp()) * 1000)


def main() -> None:
    """Connect, say so, then do as told: `start` counts from nothing, `stop` says what was counted, `end` leaves."""
    port, path, count, *bound = sys.argv[1:]
    readers = Readers(int(port), path, int(count), *map(int, bound))
    print("connected", flush=True)
    while (told := readers.go()) not in {"end", ""}:
        if told == "stop":
            counted = {"messages": readers.messages, "bytes": readers.bytes, "ages_ms": sorted(readers.ages_ms)}
            print(json.dumps(counted), flush=True)
        readers.messages, readers.bytes, readers.ages_ms = 0, 0, []


if __name__ == "__main__":
    main()
