"""Draws sample.png: three people as plain silhouettes, of three sizes, that the HOG detector really finds."""

from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE: Final = (480, 360)  # width, height in pixels
GROUND: Final = 170
_SHIFT: Final = 4  # OpenCV draws in sixteenths of a pixel

Colour = tuple[int, int, int]  # BGR


class Person(NamedTuple):
    """Where a person stands (centre and top, in pixels), how tall (pixels), and what they wear."""

    centre: float
    top: float
    height: float
    coat: Colour
    trousers: Colour
    face: Colour


PEOPLE: Final = (
    Person(100, 60, 240, (40, 40, 40), (30, 30, 30), (60, 60, 60)),
    Person(260, 90, 200, (60, 50, 120), (70, 40, 30), (120, 140, 180)),
    Person(400, 120, 150, (90, 90, 30), (30, 30, 60), (90, 110, 150)),
)
# Outlines as fractions of the height, from the middle of the head's top; the left half, mirrored for the right.
LEGS: Final = ((-0.105, 0.50), (-0.13, 0.97), (-0.03, 0.97), (0.0, 0.56))
BODY: Final = (
    (-0.06, 0.155), (-0.13, 0.185), (-0.165, 0.35), (-0.17, 0.52), (-0.125, 0.52), (-0.115, 0.40), (-0.115, 0.54),
)  # fmt: skip


def draw() -> NDArray[np.uint8]:
    """Draw the sample: BGR, uint8, (360, 480, 3)."""
    picture = np.full((SIZE[1], SIZE[0], 3), GROUND, np.uint8)
    for person in PEOPLE:
        _outline(picture, person, LEGS, person.trousers)
        _outline(picture, person, BODY, person.coat)
        centre = _place(person, 0.0, 0.085)
        axes = (int(0.055 * person.height * 16), int(0.075 * person.height * 16))
        cv2.ellipse(picture, centre, axes, 0, 0, 360, person.face, -1, cv2.LINE_AA, _SHIFT)
    return np.asarray(cv2.GaussianBlur(picture, (3, 3), 0), np.uint8)


def _outline(picture: NDArray[np.uint8], person: Person, left: tuple[tuple[float, float], ...], colour: Colour) -> None:
    points = [*left, *((-x, y) for x, y in reversed(left))]
    corners = np.array([_place(person, x, y) for x, y in points], np.int32)
    cv2.fillPoly(picture, [corners], colour, cv2.LINE_AA, _SHIFT)


def _place(person: Person, x: float, y: float) -> tuple[int, int]:
    return round((person.centre + x * person.height) * 16), round((person.top + y * person.height) * 16)


if __name__ == "__main__":
    cv2.imwrite(str(Path(__file__).with_name("sample.png")), draw())
