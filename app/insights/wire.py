"""Insights as bytes: event-stream messages, encoded at most once for each channel."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from app.domain.insight import Close, Hello, Insight
from app.insights.reduction import Reduction

Encode = Callable[[Insight, int | None], bytes | None]
JSON: Final = "json"

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_ENCODER: Final = msgspec.json.Encoder()  # writes NaN and the infinities as null, so that a message is always JSON


def encode_json(insight: Insight, _fact_id: int | None) -> bytes:
    """Give an insight's fields as one line of JSON."""
    return _ENCODER.encode(insight)


def frame(payload: bytes, *, event: str | None = None, fact_id: int | None = None, retry_ms: int | None = None) -> bytes:
    """Make one message of an event stream, ended by LF only; each line of the payload gets its own `data:` line.

    `retry_ms` is how long a client that lost its connection is to wait; alone, without data, htmx would not hear it.
    """
    lines = [] if event is None else [b"event: " + event.encode()]
    if fact_id is not None:
        lines.append(b"id: %d" % fact_id)
    if retry_ms is not None:
        lines.append(b"retry: %d" % retry_ms)
    lines += [b"data: " + line for line in _LINE_END.split(payload)]
    return b"\n".join(lines) + b"\n\n"


def comment(text: str) -> bytes:
    """Make a comment of an event stream: bytes on the connection that no client reads as a message."""
    return b": " + b" ".join(_LINE_END.split(text.encode())) + b"\n\n"


@dataclass(frozen=True, slots=True)
class Channel:
    """One encoding of the feed, shared by all who read it.

    `encode(insight, fact_id)` gives the payload alone (JSON, or HTML of any number of lines), or None for an insight this
    channel does not show. `named` messages say their type in an `event:` line; of the unnamed only `close` does.
    `types` are the types the channel shows, None for all.
    """

    name: str
    encode: Encode
    named: bool
    types: frozenset[str] | None = None

    def message(self, insight: Insight, fact_id: int | None = None, *, retry_ms: int | None = None) -> bytes:
        """Give the whole message of an insight, empty when this channel does not show it."""
        payload = self.encode(insight, fact_id)
        if payload is None and isinstance(insight, Hello):
            payload = b""  # still told, for its id is where the next connection resumes
        if payload is None and isinstance(insight, Close):
            payload = insight.reason.encode()
        if payload is None:
            return b""
        event = insight.type if self.named or isinstance(insight, Close) else None
        return frame(payload, event=event, fact_id=fact_id, retry_ms=retry_ms)


class Message:
    """An insight on its way, with its bytes for each channel once somebody wanted them; `fact_id` numbers a fact."""

    __slots__ = ("_encoded", "_reduced", "fact_id", "insight")

    def __init__(self, insight: Insight, fact_id: int | None = None) -> None:
        self.insight = insight
        self.fact_id = fact_id
        self._encoded: dict[tuple[str, bool], bytes] = {}
        self._reduced: dict[Reduction, Message] = {}

    def reduced(self, reduction: Reduction, plugins: Mapping[str, str]) -> "Message":
        """Give what is left of it for all who ask for the same; `plugins` names the plugin of each stage of its job."""
        known = self._reduced.get(reduction)
        if known is None:
            left = reduction.of(self.insight, plugins)
            known = self._reduced[reduction] = self if left is self.insight else Message(left, self.fact_id)
        return known

    def live(self, channel: Channel) -> bytes:
        """Give its bytes as news, numbered if it is a fact."""
        known = self._encoded.get((channel.name, False))
        if known is None:
            known = self._encoded[channel.name, False] = channel.message(self.insight, self.fact_id)
        return known

    def snapshot(self, channel: Channel) -> bytes:
        """Give its bytes as part of a snapshot: marked so, and without a number."""
        known = self._encoded.get((channel.name, True))
        if known is None:
            marked = msgspec.structs.replace(self.insight, snapshot=True)
            known = self._encoded[channel.name, True] = channel.message(marked)
        return known
