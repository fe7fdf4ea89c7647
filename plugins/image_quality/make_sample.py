"""Draws sample.mp4: a camera that moves over a textured ground, and goes wrong in every way the plugin tells of."""

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE: Final = (192, 144)  # width, height in pixels
RATE: Final = 20.0  # frames a second
FRAMES: Final = 48
SHARP: Final = range(8)
BLURRED: Final = range(8, 14)
DARK: Final = range(14, 20)
BRIGHT: Final = range(20, 26)
BLACK: Final = range(26, 32)
FROZEN: Final = range(32, 40)  # the picture of frame 32 again and again
NOISY: Final = range(40, 48)


def draw() -> list[NDArray[np.uint8]]:
    """Draw every frame: BGR, uint8, (144, 192, 3)."""
    coarse = np.random.default_rng(5).integers(60, 190, (SIZE[1] // 3, SIZE[0] // 2, 3)).astype(np.uint8)
    ground = np.asarray(cv2.resize(coarse, (SIZE[0] * 2, SIZE[1]), interpolation=cv2.INTER_LINEAR), np.uint8)
    return [_spoilt(ground[:, 2 * _place(index) :][:, : SIZE[0]].copy(), index) for index in range(FRAMES)]


def _place(index: int) -> int:
    return FROZEN.start if index in FROZEN else index


def _spoilt(picture: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
    if index in BLURRED:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), 3.0), np.uint8)
    if index in DARK:
        return picture // 4
    if index in BRIGHT:
        return np.asarray(cv2.convertScaleAbs(picture, alpha=1.5, beta=40), np.uint8)
    if index in BLACK:
        return np.zeros_like(picture)
    if index in NOISY:
        dirt = np.random.default_rng(index).normal(0.0, 12.0, picture.shape)
        return np.clip(picture + dirt, 0, 255).astype(np.uint8)
    return picture


if __name__ == "__main__":
    path = str(Path(__file__).with_name("sample.mp4"))
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"mp4v"), RATE, SIZE)
    for picture in draw():
        writer.write(picture)
    writer.release()
