"""A recording: what a real job told its watchers, and when; told again to the pages' own live code."""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from app.domain.insight import BY_TYPE, Close, Insight, Status
from app.web.render import encode

FOLDER: Final = Path(__file__).parent / "recordings"


class Told(NamedTuple):
    """An insight, and how many milliseconds after the first it came."""

    after_ms: int
    insight: Insight


class Line(msgspec.Struct):
    """A line of a recording's file."""

    after_ms: int
    type: str
    insight: dict[str, Any]


class Message(NamedTuple):
    """A message of the live feed, as bytes of an event stream."""

    after_ms: int
    text: str


@cache
def recorded(name: str) -> tuple[Told, ...]:
    """Read a recording."""
    lines = msgspec.json.Decoder(Line).decode_lines((FOLDER / f"{name}.ndjson").read_bytes())
    return tuple(Told(line.after_ms, msgspec.convert(line.insight, BY_TYPE[line.type])) for line in lines)


def snapshot(told: Sequence[Told]) -> list[Told]:
    """Give what a page is told that missed all of it: the facts once more, and the latest of each other kind, at once."""
    kept: dict[tuple[Any, ...], Told] = {}
    for number, (_, insight) in enumerate(told):
        key = (number,) if insight.delivery == "fact" else insight.key
        kept.pop(key, None)
        kept[key] = Told(0, msgspec.structs.replace(insight, snapshot=True))
    return list(kept.values())


def messages(kind: str, told: Sequence[Told]) -> Iterator[Message]:
    """Give the messages a kind of page would get, closed as the feed closes at a job's end."""
    status = "completed"
    after_ms = 0
    for after_ms, insight in told:
        if isinstance(insight, Status):
            status = insight.status
        if isinstance(insight, Close):
            continue
        html = encode(kind, insight)
        if html is not None:
            data = "".join(f"data: {line}\n" for line in html.decode().splitlines())
            yield Message(after_ms, f"{data}\n")
    yield Message(after_ms + 200, f"event: close\ndata: {status}\n\n")
