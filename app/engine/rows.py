"""A segment's rows on their way into its outputs file, and back out of it for finalize."""

import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from app.domain.job import RowsPlace
from app.domain.output import Output
from app.domain.plugin import FrameOutput
from app.engine.ledger import Ledger
from app.engine.stages import RowError
from app.media.lines import lines_at

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_LONGER: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND
_MODE: Final = 0o666  # less what the umask takes away
TakeStock = Callable[[int, bool], bytes]
NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})  # what a full disk says
_decode_output = msgspec.json.Decoder(Output).decode


class Row(msgspec.Struct):
    """One frame's row, as it is stored and served."""

    frame_index: int
    t_s: float | None
    outputs: Mapping[str, Output | msgspec.Raw]
    errors: list[RowError]


class StoredRow(msgspec.Struct):
    """One frame's row as it is read back: outputs stay JSON until somebody asks for them."""

    frame_index: int
    t_s: float | None
    outputs: dict[str, msgspec.Raw]
    errors: list[RowError]


def _nothing(written: int, brief: bool) -> bytes:
    return b""


class RowFile:
    """Writes rows as JSON lines; once it is placed, a file is whole.

    Until a page of `ledger` is full, rows stand there alone, and where it never was, they go to their place at once; else they
    gather beside it. `take_stock(bytes in the file, in brief)` says what all rows so far add up to, for whoever takes the file
    over. `kept`: bytes that lie beside the final place already, from a worker that was lost. `shared` is a file that only this
    worker writes: rows that go to their place at once go to its end, for a new file costs more than they do.
    """

    def __init__(
        self, path: str, ledger: Ledger | None = None, take_stock: TakeStock = _nothing, kept: int = 0,
        shared: str | None = None,
    ) -> None:  # fmt: skip
        self._path, self._shared, self._file = path, shared, -1  # its descriptor, once something had to be written
        if kept:
            self._file = os.open(part_of(path), os.O_RDWR)
            os.ftruncate(self._file, kept)
            os.lseek(self._file, kept, os.SEEK_SET)
        self._beside = kept > 0
        self._ledger, self._take_stock, self._written = ledger or Ledger.private(), take_stock, kept
        self._ledger.turn(b"")
        self._encode = msgspec.json.Encoder().encode

    def add(self, row: Row) -> None:
        """Append one row."""
        line = self._encode(row) + b"\n"
        if not self._ledger.add(line):
            self.save(line)

    def save(self, line: bytes = b"") -> None:
        """Bring all rows to the file, and a line more, and begin a new page of the ledger."""
        self._write(line)
        turn, stock = self._ledger.turn, self._take_stock
        if not turn(stock(self._written, False)) and not turn(stock(self._written, True)):
            turn(b"")  # nobody can go on from here: a lost worker's segment is done again

    def place(self) -> RowsPlace:
        """Write what is left, have the rows lie in their place, and say where that is."""
        if self._file < 0 and self._shared is not None:
            return self._append(self._shared)
        if self._file < 0:  # all that is written at once: nothing comes of a file whose segment is not committed
            self._file = os.open(self._path, _NEW, _MODE)
        self._write()
        self._close()
        if self._beside:
            part_of(self._path).replace(self._path)
        return RowsPlace(Path(self._path).name)

    def discard(self) -> None:
        """Leave nothing behind."""
        self._close()
        for path in (part_of(self._path), Path(self._path)):
            path.unlink(missing_ok=True)

    def _append(self, path: str) -> RowsPlace:
        """Write all rows to the end of a file whose other rows may be committed already."""
        self._file = os.open(path, _LONGER, _MODE)
        start = os.lseek(self._file, 0, os.SEEK_END)
        try:
            self._write()
        except OSError:
            os.ftruncate(self._file, start)
            raise
        self._close()
        return RowsPlace(Path(path).name, start, self._written)

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, line: bytes = b"") -> None:
        for data in (self._ledger.pending(), memoryview(line)):
            left = data
            if left and self._file < 0:
                self._file, self._beside = os.open(part_of(self._path), _NEW, _MODE), True
            while left:
                left = left[os.write(self._file, left) :]
            self._written += len(data)


def part_of(path: str) -> Path:
    """Where the rows of an outputs file lie until they are whole."""
    return Path(f"{path}.part")


def read_rows(folder: str, places: Sequence[RowsPlace]) -> Iterator[StoredRow]:
    """Yield rows as they are stored, place after place."""
    decode_row = msgspec.json.Decoder(StoredRow).decode
    for place in places:
        for line in lines_at(Path(folder), place):
            yield decode_row(line)


def read_outputs(folder: str, places: Sequence[RowsPlace], stage: str) -> Iterator[FrameOutput]:
    """Yield the committed outputs of one stage in frame order."""
    for row in read_rows(folder, places):
        output = row.outputs.get(stage)
        if output is not None:
            yield FrameOutput(row.frame_index, row.t_s, decode_output(output))


def decode_output(output: msgspec.Raw) -> Output:
    """Read one stage's output."""
    decoded: Output = _decode_output(output)
    return decoded
