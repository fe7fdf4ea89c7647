"""Draws sample.png: a plain face that YuNet takes for one; nobody's."""

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE: Final = 320  # pixels, both ways
PAPER, SKIN, HAIR, WHITE, IRIS, BROW, SHADE, LIPS = (
    (200, 190, 180), (140, 175, 225), (30, 40, 60), (250, 250, 250), (50, 40, 30), (40, 50, 70), (110, 140, 190), (90, 90, 190),
)  # fmt: skip
_SHIFT: Final = 4  # OpenCV draws in sixteenths of a pixel

Colour = tuple[int, int, int]  # BGR
Pair = tuple[float, float]


def draw(x: float = 160, y: float = 160, scale: float = 0.4) -> NDArray[np.uint8]:
    """Draw a face 150 × 200 pixels large times `scale`, its middle at (x, y): BGR, uint8, (320, 320, 3)."""
    picture = np.full((SIZE, SIZE, 3), PAPER, np.uint8)

    def oval(middle: Pair, radii: Pair, colour: Colour, arc: tuple[int, int] = (0, 360)) -> None:
        centre = _sixteenths(x + middle[0] * scale, y + middle[1] * scale)
        axes = _sixteenths(radii[0] * scale, radii[1] * scale)
        cv2.ellipse(picture, centre, axes, 0, *arc, colour, -1, cv2.LINE_AA, _SHIFT)

    oval((0, 0), (75, 100), SKIN)
    oval((0, -55), (80, 60), HAIR, (180, 360))
    for side in (-30, 30):
        oval((side, -10), (14, 8), WHITE)
        oval((side, -10), (7, 7), IRIS)
        oval((side, -27), (19, 6), BROW, (180, 360))
    oval((0, 28), (10, 7), SHADE)
    oval((0, 58), (28, 10), LIPS, (0, 180))
    return np.asarray(cv2.GaussianBlur(picture, (3, 3), 0), np.uint8)


def _sixteenths(x: float, y: float) -> tuple[int, int]:
    return round(x * (1 << _SHIFT)), round(y * (1 << _SHIFT))


if __name__ == "__main__":
    cv2.imwrite(str(Path(__file__).with_name("sample.png")), draw())
