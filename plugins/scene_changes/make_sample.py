"""Draws sample.mp4: four shots with things that move through them, a flash and a pan; the frames of the cuts are known."""

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE: Final = (192, 144)  # width, height in pixels
RATE: Final = 20.0  # frames a second
FRAMES: Final = 80
CUTS: Final = (20, 45, 62)  # the first frame of each new shot
FLASH: Final = 50  # one white frame, shortly after a cut
GROUNDS: Final = ((70, 110, 60), (200, 180, 150), (40, 40, 90), (160, 200, 230))  # BGR of each shot


def shot_of(index: int) -> int:
    """Number of the shot a frame belongs to, from 0."""
    return sum(index >= cut for cut in CUTS)


def draw() -> list[NDArray[np.uint8]]:
    """Draw every frame: BGR, uint8, (144, 192, 3)."""
    return [_frame(index) for index in range(FRAMES)]


def _frame(index: int) -> NDArray[np.uint8]:
    if index == FLASH:
        return np.full((SIZE[1], SIZE[0], 3), 255, np.uint8)
    shot = shot_of(index)
    coarse = np.random.default_rng(shot).integers(-30, 30, (SIZE[1] // 8, SIZE[0] // 4, 3)) + GROUNDS[shot]
    ground = cv2.resize(np.clip(coarse, 0, 255).astype(np.uint8), (SIZE[0] * 2, SIZE[1]), interpolation=cv2.INTER_CUBIC)
    pan = 3 * (index - CUTS[-1]) if shot == len(CUTS) else 0  # the last shot is a pan
    picture = np.asarray(ground, np.uint8)[:, pan : pan + SIZE[0]].copy()
    cv2.circle(picture, (20 + 7 * (index % 25), 72), 30, (20, 20, 200), -1)
    return picture


if __name__ == "__main__":
    path = str(Path(__file__).with_name("sample.mp4"))
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"mp4v"), RATE, SIZE)
    for picture in draw():
        writer.write(picture)
    writer.release()
