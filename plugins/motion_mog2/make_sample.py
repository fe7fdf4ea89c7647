"""Draws sample.mp4: a still textured ground, then a light square and a dark disc that move over it, their places known."""

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE: Final = (192, 144)  # width, height in pixels
FRAMES: Final = 40
FIRST: Final = 12  # first frame with anything on the ground
RATE: Final = 20.0  # frames a second
SIDE: Final = 24  # of the square, and the disc's diameter, in pixels

Place = tuple[float, float, float, float]  # x, y, w, h in pixels


def square_at(index: int) -> Place | None:
    """Where the square is on a frame: it goes right, 5 pixels a frame."""
    return (10.0 + 5 * (index - FIRST), 20.0, SIDE, SIDE) if index >= FIRST else None


def disc_at(index: int) -> Place | None:
    """Where the disc is on a frame: it goes left, 5 pixels a frame."""
    return (155.0 - 5 * (index - FIRST), 90.0, SIDE, SIDE) if index >= FIRST else None


def draw() -> list[NDArray[np.uint8]]:
    """Draw every frame: BGR, uint8, (144, 192, 3)."""
    noise = np.random.default_rng(2).integers(90, 150, (SIZE[1] // 8, SIZE[0] // 8, 3)).astype(np.uint8)
    ground = np.asarray(cv2.resize(noise, SIZE, interpolation=cv2.INTER_CUBIC), np.uint8)
    return [_frame(ground, index) for index in range(FRAMES)]


def _frame(ground: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
    picture = ground.copy()
    square, disc = square_at(index), disc_at(index)
    if square and disc:
        x, y, w, h = (int(value) for value in square)
        picture[y : y + h, x : x + w] = (200, 230, 250)
        x, y, w, h = (int(value) for value in disc)
        cv2.circle(picture, (x + w // 2, y + h // 2), w // 2, (40, 20, 10), -1, cv2.LINE_AA)
    return picture


if __name__ == "__main__":
    path = str(Path(__file__).with_name("sample.mp4"))
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"mp4v"), RATE, SIZE)
    for picture in draw():
        writer.write(picture)
    writer.release()
