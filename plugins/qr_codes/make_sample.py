"""Draws sample.png: three QR codes on a wall, one of them turned and one too small to be read, their texts known."""

from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE: Final = (640, 360)  # width, height in pixels
WALL: Final = (120, 130, 140)


class Code(NamedTuple):
    """A code on the wall: its text, the place of its middle, the pixels of a square's side, and its turn in degrees."""

    text: str
    x: int
    y: int
    scale: float
    turn: float


CODES: Final = (
    Code("https://example.org/gate/7", 140, 130, 5.0, 0.0),
    Code("Gate 7 → Grüße", 380, 200, 5.0, 20.0),
    Code("too small to be read", 570, 280, 1.5, 0.0),
)


def draw() -> NDArray[np.uint8]:
    """Draw the picture: BGR, uint8, (360, 640, 3)."""
    picture = np.full((SIZE[1], SIZE[0], 3), WALL, np.uint8)
    for code in CODES:
        _put(picture, code)
    return picture


def outline(code: Code) -> NDArray[np.float32]:
    """Give the corners of a code without its quiet zone, in pixels: shape (4, 2)."""
    half = (_pattern(code).shape[0] - 2 * 4) / 2 * code.scale
    corners = np.array([[-half, -half], [half, -half], [half, half], [-half, half]], np.float32)
    turn = np.deg2rad(code.turn)
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]], np.float32)
    return np.asarray(corners @ spin.T + (code.x, code.y), np.float32)


def _pattern(code: Code) -> NDArray[np.uint8]:
    """Give the squares of a code within the four white ones that the standard asks for on every side."""
    plain = cv2.QRCodeEncoder.create().encode(code.text)
    return np.asarray(cv2.copyMakeBorder(plain, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=255), np.uint8)


def _put(picture: NDArray[np.uint8], code: Code) -> None:
    pattern = _pattern(code)
    side = pattern.shape[0]
    edge = np.array([[4, 4], [side - 4, 4], [side - 4, side - 4], [4, side - 4]], np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(edge, outline(code) - 0.5)
    flags = cv2.INTER_AREA if code.scale < 2 else cv2.INTER_NEAREST
    laid = cv2.warpPerspective(pattern, matrix, SIZE, flags=flags)
    where = cv2.warpPerspective(np.full_like(pattern, 255), matrix, SIZE, flags=cv2.INTER_NEAREST)
    picture[where > 0] = laid[where > 0][:, None]


if __name__ == "__main__":
    cv2.imwrite(str(Path(__file__).with_name("sample.png")), draw())
