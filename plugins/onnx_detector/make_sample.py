"""Draws sample.png: red and green blocks on grey, each of which fills one cell of the tiny detector in sample.onnx."""

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE: Final = 64  # pixels, both ways
RED, GREEN = (20, 20, 240), (20, 230, 20)  # BGR
BLOCKS: Final = (("red", RED, (8, 16, 8)), ("green", GREEN, (40, 40, 8)), ("red", RED, (32, 0, 16)))  # left, top, side


def draw() -> NDArray[np.uint8]:
    """Draw the sample: BGR, uint8, (64, 64, 3)."""
    picture = np.full((SIZE, SIZE, 3), 128, np.uint8)
    for _, colour, (left, top, side) in BLOCKS:
        picture[top : top + side, left : left + side] = colour
    return picture


if __name__ == "__main__":
    cv2.imwrite(str(Path(__file__).with_name("sample.png")), draw())
