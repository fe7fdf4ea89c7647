"""A uvicorn connection that tells what its client has not taken yet, writes to it without detours, and can be cut off."""

import asyncio
from array import array
from collections.abc import Coroutine
from contextlib import suppress
from fcntl import ioctl
from termios import TIOCOUTQ
from typing import Any, Final

from starlette.exceptions import HTTPException
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.web.errors import problem_of

EXTENSION: Final = "sightline.connection"


class Line:
    """What the response to one request may know of the connection it goes over, and do with it."""

    __slots__ = ("_cycle", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._cycle: RequestResponseCycle  # known only when uvicorn has read the request's headers

    def belong_to(self, cycle: RequestResponseCycle) -> None:
        """Say to which request's answer `write` adds."""
        self._cycle = cycle

    def unsent(self) -> int:
        """Give the number of bytes that the client's machine has not taken, those in this machine's kernel among them.

        A client that reads slowly takes from the kernel for a long time before there is room for more.
        """
        left = array("i", [0])
        with suppress(OSError, ValueError):  # a kernel that does not tell, or a socket closed meanwhile
            ioctl(self._transport.get_extra_info("socket").fileno(), TIOCOUTQ, left)
        return self._transport.get_write_buffer_size() + left[0]

    def write(self, data: bytes) -> Coroutine[Any, Any, None]:
        """Send a piece of a body that has begun, by the server's own `send`.

        What middleware puts around that looks at the beginning of an answer alone; for each piece of a body of each
        subscriber, passing through all of it costs as much as the feed itself.
        """
        return self._cycle.send({"type": "http.response.body", "body": data, "more_body": True})

    def cut(self) -> None:
        """End the connection at once, whatever is on its way."""
        self._transport.abort()


class Connection(HttpToolsProtocol):
    """uvicorn's own connection, with a `Line` among the extensions of each request's scope.

    A write counts as done when the kernel has taken it: so that a client that does not read holds one write at most in
    this process, and is noticed at once.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        """Take the connection over from the loop."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)

    def on_headers_complete(self) -> None:
        """Put the line into the request's scope."""
        extensions: dict[str, Any] = self.scope.setdefault("extensions", {})
        line = extensions[EXTENSION] = Line(self.transport)
        super().on_headers_complete()
        if self.cycle is not None:  # none for an upgrade, which no response of ours answers
            line.belong_to(self.cycle)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP request, in the form of all other refusals: the application never hears of it."""
        body = problem_of(HTTPException(400, msg)).body()
        head = f"HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n"
        self.transport.write(head.encode() + b"Cache-Control: no-store\r\nConnection: close\r\n\r\n" + body)
        self.transport.close()
