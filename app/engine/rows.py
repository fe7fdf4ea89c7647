"""A segment's rows on their way into its outputs file, and back out of it for finalize."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from app.domain.output import Output
from app.domain.plugin import FrameOutput
from app.engine.stages import RowError

_FLUSH_BYTES = 64 * 1024


class Row(msgspec.Struct):
    """One frame's row, as it is stored and served."""

    frame_index: int
    t_s: float | None
    outputs: dict[str, Output]
    errors: list[RowError]


class _StoredRow(msgspec.Struct):
    frame_index: int
    t_s: float | None
    outputs: dict[str, msgspec.Raw]


class RowFile:
    """Writes rows as JSON lines beside the final place, and moves them there whole."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._part = self._path.with_name(self._path.name + ".part")
        self._file = self._part.open("wb", buffering=0)
        self._buffer = bytearray()
        self._encoder = msgspec.json.Encoder()

    def add(self, row: Row) -> None:
        """Append one row."""
        self._encoder.encode_into(row, self._buffer, -1)
        self._buffer += b"\n"
        if len(self._buffer) >= _FLUSH_BYTES:
            self._flush()

    def place(self) -> None:
        """Write what is left and rename the file into its place."""
        self._flush()
        self._file.close()
        self._part.replace(self._path)

    def discard(self) -> None:
        """Leave nothing behind."""
        self._file.close()
        self._part.unlink(missing_ok=True)

    def _flush(self) -> None:
        view = memoryview(self._buffer)
        while view:
            view = view[os.write(self._file.fileno(), view) :]
        self._buffer = bytearray()


def read_outputs(files: Sequence[str], stage: str) -> Iterator[FrameOutput]:
    """Yield the committed outputs of one stage in frame order."""
    decode_row = msgspec.json.Decoder(_StoredRow).decode
    decode_output = msgspec.json.Decoder(Output).decode
    for name in files:
        with Path(name).open("rb") as lines:
            for line in lines:
                row = decode_row(line)
                output = row.outputs.get(stage)
                if output is not None:
                    yield FrameOutput(row.frame_index, row.t_s, decode_output(output))
