"""Many subscribers of a feed in a process of their own, some of whom stop reading; reports what they were told, and how late.

`python -m tests.crowd URL COUNT STALLED`: says `ready` when all are connected, answers each line on its input with a report
(JSON, see `Crowd.report`) of what came since the one before, and ends with its input.
"""

import asyncio
import json
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import uvloop

ROOT: Final = Path(__file__).parents[1]
UNREAD_BYTES: Final = 4096  # what the kernel of one who never reads takes for it; no server can tell that from being read
FACTS: Final = {b"status", b"device", b"health", b"warning"}


class Head(msgspec.Struct):
    """What is looked at in a message."""

    at: datetime
    snapshot: bool = False
    reason: str | None = None


class Subscriber(asyncio.Protocol):
    """One connection that reads all it is given."""

    def __init__(self, crowd: "Crowd") -> None:
        self.crowd = crowd
        self.facts: list[int] = []
        self.closed: str | None = None
        self.lost = False
        self._rest = b""
        self._decode = msgspec.json.Decoder(Head).decode

    def connection_made(self, transport: Any) -> None:
        transport.write(self.crowd.request)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True

    def data_received(self, data: bytes) -> None:
        """Read whole messages; the chunks' lengths between them look like no field and are passed over."""
        now = datetime.now(UTC)
        *blocks, self._rest = (self._rest + data).split(b"\n\n")
        for block in blocks:
            fields = dict(line.split(b": ", 1) for line in block.split(b"\n") if b": " in line and not line.startswith(b":"))
            if b"data" in fields and b"event" in fields:
                self._take(fields[b"event"], fields.get(b"id"), self._decode(fields[b"data"]), now)

    def _take(self, kind: bytes, number: bytes | None, head: Head, now: datetime) -> None:
        self.crowd.told[kind.decode()] += 1
        if kind == b"hello":
            self.crowd.connected += 1
        elif kind == b"close":
            self.closed = head.reason
        elif not head.snapshot and kind != b"gap":
            self.crowd.delays.append((now - head.at).total_seconds() * 1000)
            if kind in FACTS:
                self.facts.append(int(number or 0))


class Crowd:
    """All subscribers, and what came for those who read since the last report."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.address = parts.hostname or "", parts.port or 80
        self.request = f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
        self.connected = 0
        self.told: Counter[str] = Counter()
        self.delays: list[float] = []
        self.readers: list[Subscriber] = []
        self.stalled: list[socket.socket] = []

    async def gather(self, count: int, stalled: int) -> None:
        """Connect everybody, and wait until each who reads was told hello; a stalled one asks, and reads nothing ever."""
        loop = asyncio.get_running_loop()
        for _ in range(stalled):
            self.stalled.append(socket.socket())
            self.stalled[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UNREAD_BYTES)
            self.stalled[-1].connect(self.address)
            self.stalled[-1].sendall(self.request)
        for _ in range(count - stalled):
            self.readers.append(Subscriber(self))
            await loop.create_connection(lambda: self.readers[-1], *self.address)
        while self.connected < count - stalled:
            await asyncio.sleep(0.05)

    def report(self) -> dict[str, Any]:
        """Say what came since the last report, and what became of everybody so far."""
        delays, self.delays = sorted(self.delays), []
        told, self.told = dict(self.told), Counter()
        return {
            "told": told,
            "delay_ms": {f"p{p}": round(delays[len(delays) * p // 100], 1) for p in (50, 95, 99)} if delays else {},
            "facts": sorted({tuple(one.facts) for one in self.readers}),
            "closed": Counter(str(one.closed) for one in self.readers),
            "lost": sum(one.lost for one in self.readers),
        }


async def main(url: str, count: int, stalled: int) -> None:
    """Be the crowd until the input ends."""
    crowd = Crowd(url)
    await crowd.gather(count, stalled)
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(crowd.report()), flush=True)


class Gathered:
    """A crowd as a test sees it."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        assert self._read() == "ready"

    def report(self) -> dict[str, Any]:
        """Ask for a report."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        report: dict[str, Any] = json.loads(self._read())
        return report

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def gathered(url: str, count: int, stalled: int = 0) -> Iterator[Gathered]:
    """Have a crowd at an address."""
    command = [sys.executable, "-m", "tests.crowd", url, str(count), str(stalled)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Gathered(process)
        finally:
            process.kill()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
