"""A small, strict client of event streams for tests: what is not to the letter of the wire format fails at once."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx


class Event(NamedTuple):
    """One message. `type` is its name, `id` the number in its own id line (None: it had none), `data` its lines."""

    type: str
    id: int | None
    data: str

    @property
    def json(self) -> dict[str, Any]:
        """What the data says; NaN and the like are no JSON."""
        fields: dict[str, Any] = json.loads(self.data, parse_constant=_refuse)
        return fields

    @property
    def snapshot(self) -> bool:
        """Say whether it was true before the connection was made."""
        return self.type not in {"message", "close"} and self.json.get("snapshot", False)


class Parser:
    """Turns bytes, cut anywhere, into events and comments."""

    def __init__(self) -> None:
        self.comments: list[str] = []
        self.retries: list[int] = []
        self._rest = b""

    def feed(self, chunk: bytes) -> list[Event]:
        """Take in bytes and give the messages they complete."""
        assert b"\r" not in chunk, f"a line ends with CR: {chunk!r}"
        *blocks, self._rest = (self._rest + chunk).split(b"\n\n")
        events = [self._read(block.decode()) for block in blocks]
        return [event for event in events if event is not None]

    @property
    def complete(self) -> bool:
        """Say whether no message was cut off."""
        return not self._rest

    def _read(self, block: str) -> Event | None:
        fields: dict[str, list[str]] = {"event": [], "id": [], "retry": [], "data": []}
        for line in block.split("\n"):
            name, colon, value = line.partition(": ")
            assert colon, f"not a field: {line!r}"
            if name:
                fields[name].append(value)
            else:
                self.comments.append(value)
        if not any(fields.values()):
            return None
        assert fields["data"], f"a message without data is not told to anybody: {block!r}"
        assert len(fields["event"]) <= 1, block
        assert len(fields["id"]) <= 1, block
        self.retries += map(int, fields["retry"])
        number = int(fields["id"][0]) if fields["id"] else None
        return Event(fields["event"][0] if fields["event"] else "message", number, "\n".join(fields["data"]))


class Stream:
    """An open event stream; iterate over its events, as they come."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.parser = Parser()
        self._chunks = response.iter_raw()
        self._events = self._read()

    def __iter__(self) -> Iterator[Event]:
        return self._events

    def until(self, seen: Callable[[Event], bool]) -> list[Event]:
        """Read up to and with the first event that is asked for; fail when the stream ends without it."""
        events = []
        for event in self._events:
            events.append(event)
            if seen(event):
                return events
        raise AssertionError(f"the stream ended without it, after {events}")

    def wait_for_bytes(self) -> list[Event]:
        """Wait for the next bytes, also for those of a comment, and give the events they complete."""
        return self.parser.feed(next(self._chunks))

    def _read(self) -> Iterator[Event]:
        for chunk in self._chunks:
            yield from self.parser.feed(chunk)
        assert self.parser.complete, "the stream ended in the middle of a message"


class NothingLeft(Exception):
    """The job has ended, and the caller has been told everything: the answer is 204, and no stream."""


@contextmanager
def follow(url: str, *, last_event_id: int | str | None = None, **options: Any) -> Iterator[Stream]:
    """Open an event stream at an address; the answer must be one, or raises NothingLeft."""
    headers = {"Accept": "text/event-stream", **options.pop("headers", {})}
    if last_event_id is not None:
        headers["Last-Event-ID"] = str(last_event_id)
    with (
        httpx.Client(trust_env=False, timeout=30) as client,
        client.stream("GET", url, headers=headers, **options) as response,
    ):
        if response.status_code == 204 and last_event_id is not None:
            raise NothingLeft
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].partition(";")[0] == "text/event-stream"
        yield Stream(response)


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")
