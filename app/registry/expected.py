"""expected.json: what a plugin gives on its own sample, and how far it may stray from that."""

from pathlib import Path
from typing import Any, Final

import msgspec

from app.domain.output import Output

EXPECTED: Final = "expected.json"
ROWS: Final = ".ndjson"  # a sample of rows: what earlier stages gave, for a plugin that reads them


class ExpectedFrame(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The output wanted on one frame of the sample."""

    frame_index: int
    output: Output


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A plugin's golden outputs.

    `sample` is a file of the plugin's folder: a picture, a video, or rows (`.ndjson`) of what earlier stages gave.
    `options` are the stage's, defaults for those left out. `tolerance` says by how much a number may differ, by the name of
    its field (`box`, `confidence`, `points`, `x`, `y`, `value`, `summary`); one without may differ by a rounding alone.
    `summary` is what finalize gives over the whole sample, None where that does not matter.
    """

    sample: str
    frames: tuple[ExpectedFrame, ...]
    options: dict[str, Any] = {}
    tolerance: dict[str, float] = {}
    summary: dict[str, Any] | None = None


TOLERATED: Final = ("box", "confidence", "points", "x", "y", "value", "summary")


def read_expected(folder: Path) -> Expected:
    """Read `folder`/expected.json; raises OSError, and ValueError saying what is wrong in it."""
    body = (folder / EXPECTED).read_bytes()
    try:
        return msgspec.json.decode(body, type=Expected)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
    except msgspec.DecodeError as error:
        raise ValueError(f"it is not JSON: {error}") from error
