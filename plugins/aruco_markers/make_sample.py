"""Draws sample.png: four markers of the dictionary 4x4_50 on a table, turned and seen from aside, their places known."""

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE: Final = (640, 360)  # width, height in pixels
TABLE: Final = (150, 170, 180)
MARKERS: Final[dict[int, tuple[tuple[int, int], ...]]] = {  # number: its corners in pixels, from its top left one, clockwise
    3: ((60, 50), (160, 50), (160, 150), (60, 150)),
    7: ((300, 60), (390, 110), (340, 200), (250, 150)),
    23: ((480, 60), (580, 80), (570, 200), (490, 170)),
    41: ((180, 310), (100, 310), (100, 230), (180, 230)),
}


def draw() -> NDArray[np.uint8]:
    """Draw the picture: BGR, uint8, (360, 640, 3)."""
    picture = np.full((SIZE[1], SIZE[0], 3), TABLE, np.uint8)
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)
    for number, corners in MARKERS.items():
        marker = cv2.copyMakeBorder(
            cv2.aruco.generateImageMarker(dictionary, number, 60), 10, 10, 10, 10, cv2.BORDER_CONSTANT, value=255
        )
        edge = np.array([[10, 10], [70, 10], [70, 70], [10, 70]], np.float32) - 0.5
        matrix = cv2.getPerspectiveTransform(edge, np.array(corners, np.float32) - 0.5)
        laid = cv2.warpPerspective(marker, matrix, SIZE, flags=cv2.INTER_LINEAR)
        where = cv2.warpPerspective(np.full_like(marker, 255), matrix, SIZE, flags=cv2.INTER_NEAREST)
        picture[where > 0] = laid[where > 0][:, None]
    return picture


if __name__ == "__main__":
    cv2.imwrite(str(Path(__file__).with_name("sample.png")), draw())
