"""From a frame to the network's input and back: size, letterbox, channels, numbers."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray


class Placement(NamedTuple):
    """Where the frame lies within the input, in pixels of the input: its scale in x and y, and its top left corner."""

    scale_x: float
    scale_y: float
    left: int
    top: int


@dataclass(frozen=True, slots=True)
class InputForm:
    """What the network wants: `size` (width, height) in pixels, and (pixel - mean) / std for each channel.

    `letterbox` is `none` (stretched), `corner` (proportions kept, filled up at right and bottom) or `centre` (filled up on both
    sides); `pad` is the value it is filled up with. `rgb` turns OpenCV's BGR around; `mean` and `std` follow the turned order.
    """

    size: tuple[int, int]
    letterbox: str
    pad: int
    rgb: bool
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def blob(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], Placement]:
        """Turn BGR pixels (height, width, 3) into the input (1, 3, height, width), and say where they lie in it."""
        picture, placement = self._fitted(pixels)
        even = len(set(self.std)) == 1
        blob = cv2.dnn.blobFromImage(picture, 1 / self.std[0] if even else 1.0, mean=self.mean, swapRB=self.rgb)
        if not even:
            blob /= np.array(self.std, np.float32).reshape(1, 3, 1, 1)
        return blob, placement

    def _fitted(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Placement]:
        height, width = pixels.shape[:2]
        wide, high = self.size
        if self.letterbox == "none":
            return _resized(pixels, self.size), Placement(wide / width, high / height, 0, 0)
        scale = min(wide / width, high / height)
        inner = max(1, min(wide, round(width * scale))), max(1, min(high, round(height * scale)))
        centred = self.letterbox == "centre"
        left, top = ((wide - inner[0]) // 2, (high - inner[1]) // 2) if centred else (0, 0)
        canvas = np.full((high, wide, 3), self.pad, np.uint8)
        canvas[top : top + inner[1], left : left + inner[0]] = _resized(pixels, inner)
        return canvas, Placement(inner[0] / width, inner[1] / height, left, top)


def read_numbers(name: str, text: str) -> tuple[float, float, float]:
    """Read one number, or three parted by commas."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) == 1:
        values *= 3
    if len(values) != 3 or not np.all(np.isfinite(values)):
        raise ValueError(f"{name} is {text!r}, expected one number, or three parted by commas")
    return values[0], values[1], values[2]


def _resized(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    if pixels.shape[1::-1] == size:
        return pixels
    return cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)  # type: ignore[no-any-return]  # cv2 has no types
