"""Reads QR codes with OpenCV's own reader."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.sdk import Box, Frame, FrameOutput, Point, PrepareContext, Shape, ShapeKind, Size, Summary, Text, TextBlock

SMALLEST: Final = 21  # pixels; a code has at least so many squares to a side
CERTAIN: Final = 1.0  # a code is read with its error correction: either right or not at all
TOLD: Final = 100  # texts that a summary holds


class QrCodes:
    """The plugin. Each frame stands by itself."""

    def prepare(self, context: PrepareContext) -> None:
        """Take the options; make a reader that finds codes by their corners as ArUco markers are found."""
        self._max_width = int(context.options["max_width"])
        self._enlarge = float(context.options["enlarge"])
        self._unread = bool(context.options["unread"])
        self._reader = cv2.QRCodeDetectorAruco()

    def process_frame(self, frame: Frame) -> Text:
        """Give a block for each code that was read, from top to bottom; each code's outline is drawn."""
        size = frame.size
        scale = min(1.0, self._max_width / size.width) * self._enlarge
        picture = frame.pixels if scale == 1 else _scaled(frame.pixels, size, scale)
        if min(picture.shape[:2]) < SMALLEST:
            return Text(())
        _, texts, corners, _ = self._reader.detectAndDecodeBytesMulti(picture)
        found = [] if corners is None else list(zip(texts, corners / (picture.shape[1], picture.shape[0]), strict=True))
        blocks, shapes = [], []
        for body, outline in sorted(found, key=lambda code: (*code[1].min(axis=0)[::-1], code[0])):
            points = tuple(Point(round(float(x), 5), round(float(y), 5)) for x, y in outline)
            if body:
                text = _decoded(body)
                blocks.append(TextBlock(text, CERTAIN, _around(points)))
                shapes.append(Shape(ShapeKind.POLYGON, points, text))
            elif self._unread:
                shapes.append(Shape(ShapeKind.POLYGON, points, "unread"))
        return Text(tuple(blocks), tuple(shapes))

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Sum up: which texts were read, on how many frames each, and when first."""
        frames, seen = 0, Counter[str]()
        first: dict[str, int] = {}
        for row in outputs:
            frames += 1
            for text in {block.text for block in row.output.blocks} if isinstance(row.output, Text) else ():
                seen[text] += 1
                first.setdefault(text, row.frame_index)
        told = sorted(seen, key=lambda text: (first[text], text))[:TOLD]
        texts = [{"text": text, "frames": seen[text], "first_frame": first[text]} for text in told]
        return {"frames": frames, "different_texts": len(seen), "texts": texts}


def _scaled(pixels: NDArray[np.uint8], size: Size, scale: float) -> Any:
    wanted = max(1, round(size.width * scale)), max(1, round(size.height * scale))
    return cv2.resize(pixels, wanted, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def _decoded(body: bytes) -> str:
    """Take a code's bytes as text: UTF-8 as everybody writes it, else Latin-1 as the standard has it."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body.decode("latin-1")


def _around(points: tuple[Point, ...]) -> Box:
    """Give the box around an outline, cut at the frame's border."""
    left, top = (min(values) for values in zip(*points, strict=True))
    right, bottom = (max(values) for values in zip(*points, strict=True))
    return Box.from_pixels(left, top, right - left, bottom - top, (1, 1))
