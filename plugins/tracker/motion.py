"""Where a track should be: a Kalman filter that takes boxes to move at a steady speed."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

POSITION: Final = 1 / 20  # standard deviation of a place, as a part of the box's size; of ByteTrack and SORT's successors
SPEED: Final = 1 / 160  # and of a speed, for each frame
_EXTENT: Final = [2, 3, 2, 3]  # what each of (centre x, centre y, width, height) is uncertain by: the width, or the height


class Motion:
    """A box's centre, width and height, and their speeds for each frame, in fractions of the frame.

    The state is that of BoT-SORT (Aharon, Orfaig and Bobrovsky, 2022). All its noise is diagonal, so the filter of eight
    dimensions is four filters of two, place and speed, and needs no matrices: their covariances are `pp`, `pv` and `vv`.
    """

    def __init__(self, measured: Vector) -> None:
        extent = measured[_EXTENT]
        self.place = measured.copy()
        self.speed = np.zeros(4)
        self.pp = (2 * POSITION * extent) ** 2
        self.pv = np.zeros(4)
        self.vv = (10 * SPEED * extent) ** 2

    def predict(self, frames: int, *, seen: bool) -> None:
        """Move on by some frames; a box that is out of sight keeps its size."""
        if not seen:
            self.speed[2:] = 0.0
        extent = self.place[_EXTENT]
        self.place = self.place + frames * self.speed
        self.pp = self.pp + 2 * frames * self.pv + frames**2 * self.vv + frames * (POSITION * extent) ** 2
        self.pv = self.pv + frames * self.vv
        self.vv = self.vv + frames * (SPEED * extent) ** 2
        self.place[2:] = np.maximum(self.place[2:], 1e-6)

    def correct(self, measured: Vector) -> None:
        """Take in where the box really was."""
        spread = self.pp + (POSITION * self.place[_EXTENT]) ** 2
        gain, speed_gain = self.pp / spread, self.pv / spread
        missed = measured - self.place
        self.place = self.place + gain * missed
        self.speed = self.speed + speed_gain * missed
        self.vv = self.vv - speed_gain * self.pv
        self.pv = (1 - gain) * self.pv
        self.pp = (1 - gain) * self.pp

    def corners(self) -> Vector:
        """Left, top, right and bottom."""
        half = self.place[2:] / 2
        return np.concatenate((self.place[:2] - half, self.place[:2] + half))
