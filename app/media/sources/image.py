"""Images as sources: one picture, or a folder of them in order."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from app.domain.media import Loss, PlannedSegment
from app.media.sources import DecodedFrame
from app.media.sources.losses import LossLog


def read_image(path: Path) -> NDArray[np.uint8] | None:
    """Read a picture upright (by its EXIF orientation) as BGR, 8 bits; None where it cannot be decoded."""
    try:
        data = np.fromfile(path, dtype=np.uint8)
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except (OSError, cv2.error, MemoryError):
        return None
    if pixels is None:
        return None
    pixels.setflags(write=False)
    return pixels  # type: ignore[no-any-return]  # cv2 carries no types here


class ImageSource:
    """A source of one frame."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self.losses: list[Loss] = []

    def frames(self, planned: PlannedSegment) -> Iterator[DecodedFrame]:
        """Yield the picture; its media time is 0."""
        self.losses = list(planned.losses)
        pixels = read_image(self._path)
        if pixels is None:
            LossLog(self.losses).lost(planned.start, "the image cannot be read any more")
        else:
            yield DecodedFrame(pixels, planned.start, 0.0)

    def close(self) -> None:
        """Nothing is open."""


class FolderSource:
    """A folder of images: one frame for each file of the plan, in the plan's order, without media times."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self.losses: list[Loss] = []

    def frames(self, planned: PlannedSegment) -> Iterator[DecodedFrame]:
        """Yield the segment's pictures; each may have its own size."""
        self.losses = list(planned.losses)
        log = LossLog(self.losses)
        for index, name in enumerate(planned.files, planned.start):
            pixels = read_image(self._path / name)
            if pixels is None:
                log.lost(index, f"{name} cannot be read as an image")
            else:
                yield DecodedFrame(pixels, index, None)

    def close(self) -> None:
        """Nothing is open."""
