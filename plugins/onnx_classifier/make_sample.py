"""Draws digits as a hand would, in white on black; sample.png is the seven."""

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE, MARGIN, STROKE = 280, 40, 24  # pixels
STROKES: Final = (  # for each digit its lines, as points within the square it is written in
    (((0.5, 0.1), (0.25, 0.25), (0.2, 0.5), (0.25, 0.75), (0.5, 0.9), (0.75, 0.75), (0.8, 0.5), (0.75, 0.25), (0.5, 0.1)),),
    (((0.55, 0.1), (0.45, 0.9)),),
    (((0.22, 0.28), (0.35, 0.12), (0.6, 0.1), (0.75, 0.25), (0.7, 0.45), (0.25, 0.88), (0.8, 0.88)),),
    (((0.25, 0.15), (0.6, 0.1), (0.72, 0.25), (0.65, 0.42), (0.42, 0.48), (0.7, 0.55), (0.76, 0.75), (0.6, 0.9),
      (0.25, 0.85)),),
    (((0.3, 0.1), (0.22, 0.55), (0.8, 0.52)), ((0.65, 0.12), (0.6, 0.92))),
    (((0.75, 0.12), (0.32, 0.12), (0.28, 0.45), (0.55, 0.42), (0.75, 0.58), (0.72, 0.8), (0.5, 0.92), (0.25, 0.85)),),
    (((0.65, 0.1), (0.38, 0.35), (0.25, 0.65), (0.35, 0.88), (0.6, 0.9), (0.75, 0.72), (0.62, 0.55), (0.35, 0.6)),),
    (((0.22, 0.15), (0.78, 0.13), (0.6, 0.45), (0.45, 0.92)),),
    (((0.5, 0.48), (0.3, 0.3), (0.45, 0.1), (0.68, 0.2), (0.62, 0.4), (0.35, 0.62), (0.32, 0.82), (0.52, 0.92), (0.72, 0.78),
      (0.65, 0.6), (0.5, 0.48)),),
    (((0.72, 0.3), (0.5, 0.12), (0.28, 0.3), (0.4, 0.5), (0.68, 0.45), (0.73, 0.28), (0.68, 0.92)),),
)  # fmt: skip


def draw(digit: int = 7, stroke: int = STROKE) -> NDArray[np.uint8]:
    """Draw a digit: BGR, uint8, (280, 280, 3)."""
    picture = np.zeros((SIZE, SIZE, 3), np.uint8)
    for line in STROKES[digit]:
        points = np.array([[MARGIN + x * (SIZE - 2 * MARGIN), MARGIN + y * (SIZE - 2 * MARGIN)] for x, y in line], np.int32)
        cv2.polylines(picture, [points], False, (255, 255, 255), stroke, cv2.LINE_AA)
    return picture


if __name__ == "__main__":
    cv2.imwrite(str(Path(__file__).with_name("sample.png")), draw())
