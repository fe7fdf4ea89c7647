"""Lines of a file, or of a part of it: how rows are read wherever they lie."""

from collections.abc import Iterator
from pathlib import Path

from app.domain.job import RowsPlace


def lines_at(folder: Path, place: RowsPlace) -> Iterator[bytes]:
    """Yield the lines that lie there, one at a time. Raises FileNotFoundError."""
    left = place.size
    with (folder / place.file).open("rb") as lines:
        lines.seek(place.start)
        for line in lines:
            if left is not None:
                left -= len(line)
                if left < 0:
                    return
            yield line
