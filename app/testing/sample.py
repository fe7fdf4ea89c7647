"""A plugin's sample as frames: a picture, a clip, or rows of what earlier stages gave."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from app.domain.frame import Frame
from app.domain.media import SourceRef
from app.domain.output import Output
from app.engine.segment import time_of
from app.engine.tasks import Pass
from app.media.identify import identify
from app.media.planning import plan_source
from app.media.sources import open_source
from app.registry.expected import ROWS

_MOST_FRAMES: Final = 48
_MOST_BYTES: Final = 200_000_000
_NO_PIXELS: Final = np.empty((0, 0, 3), np.uint8)


class SampleRow(msgspec.Struct, frozen=True):
    """One row of a sample of rows: what earlier stages gave on a frame of `width` × `height` pixels."""

    frame_index: int
    outputs: dict[str, Output]
    t_s: float | None = None
    width: int = 640
    height: int = 480


def read_sample(path: Path) -> Iterator[Frame]:
    """Yield the frames of a sample, decoded as a worker decodes them; raises what the media's reading raises."""
    if path.suffix == ROWS:
        yield from _rows(path)
        return
    ref = SourceRef(identify(path), path.name, str(path))
    plan = plan_source(ref)
    source = open_source(ref, plan)
    try:
        for planned in plan.segments:
            part = Pass(planned, 0)
            for decoded in source.frames(planned):
                yield Frame(decoded.pixels, decoded.index, time_of(decoded, part))
    finally:
        source.close()


def some_frames(path: Path) -> tuple[Frame, ...]:
    """Give frames to try a plugin on: the first of a clip, or six made of one picture. Each is held in memory."""
    frames: list[Frame] = []
    held = 0
    for frame in read_sample(path):
        held += frame.pixels.nbytes
        if frames and (len(frames) >= _MOST_FRAMES or held > _MOST_BYTES):
            break
        frames.append(frame)
    return varied(frames[0].pixels) if len(frames) == 1 and path.suffix != ROWS else tuple(frames)


def varied(pixels: NDArray[np.uint8]) -> tuple[Frame, ...]:
    """Make six frames of a picture: itself, mirrored, darkened, shifted, black, and itself again."""
    shifted = np.roll(pixels, (pixels.shape[0] // 5, pixels.shape[1] // 7), (0, 1))
    pictures = (pixels, cv2.flip(pixels, 1), pixels // 2, shifted, np.zeros_like(pixels), pixels)
    return tuple(Frame(sealed(picture), index, index / 25) for index, picture in enumerate(pictures))


def sealed(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give a copy that cannot be written to, as the engine gives frames."""
    copy = pixels.copy()
    copy.setflags(write=False)
    return copy


def bare(frame: Frame) -> Frame:
    """Give a frame without its pixels: those of a whole clip would fill the memory."""
    return Frame(_NO_PIXELS, frame.index, frame.t_s)


def odd_frames() -> tuple[Frame, ...]:
    """Make frames of shapes that no camera gives, and that a file may."""
    shapes: Sequence[tuple[int, int]] = ((1, 1), (1, 300), (300, 1), (7, 5), (48, 64))
    return tuple(Frame(sealed(np.full((*shape, 3), 90, np.uint8)), 0, 0.0) for shape in shapes)


def strided(frame: Frame) -> Frame:
    """Give the same frame with rows that do not lie one behind the other."""
    high, wide = frame.pixels.shape[:2]
    wider = np.zeros((high, wide + 16, 3), np.uint8)
    wider[:, :wide] = frame.pixels
    view = wider[:, :wide]
    view.setflags(write=False)
    return Frame(view, frame.index, frame.t_s, frame.outputs)


def _rows(path: Path) -> Iterator[Frame]:
    """Yield the frames of rows; on one without what all the stages gave, the plugin would not be run."""
    rows = [msgspec.json.decode(line, type=SampleRow) for line in path.read_bytes().splitlines() if line.strip()]
    stages = {stage for row in rows for stage in row.outputs}
    blank: dict[tuple[int, int], NDArray[np.uint8]] = {}
    for row in rows:
        size = (row.height, row.width)
        pixels = blank.setdefault(size, sealed(np.zeros((*size, 3), np.uint8)))
        if row.outputs.keys() == stages:
            yield Frame(pixels, row.frame_index, row.t_s, row.outputs)
