"""Makes sample.png: one generated scene the network was not trained on, with shapes that overlap and leave the frame.

python -m plugins.shapes_dnn.make_sample       # from the project's folder
"""

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from samples.make_shapes import Truth, scenes

SEED: Final = 12


def draw() -> tuple[NDArray[np.uint8], list[Truth]]:
    """Draw the sample, BGR, uint8, (180, 320, 3), and say what is on it."""
    return next(scenes(SEED, frames=1, width=320, height=180))


if __name__ == "__main__":
    cv2.imwrite(str(Path(__file__).with_name("sample.png")), draw()[0], [cv2.IMWRITE_PNG_COMPRESSION, 9])
