"""Counts what a segment lost, frame by frame, as few losses with their place."""

from app.domain.job import WarningCode
from app.domain.media import Loss

DOUBTFUL = "Pictures may be wrong until the next keyframe: {why}."
LOST = "Frames could not be decoded{why}."


class LossLog:
    """Joins neighbouring frames with the same trouble into one Loss."""

    def __init__(self, losses: list[Loss]) -> None:
        self._losses = losses

    def lost(self, index: int, why: str = "") -> None:
        """Note a frame that could not be decoded."""
        self._add(WarningCode.FRAMES_LOST, index, LOST.format(why=f": {why}" if why else ""))

    def doubtful(self, index: int, why: str) -> None:
        """Note a frame whose picture may be wrong."""
        self._add(WarningCode.PICTURES_DOUBTFUL, index, DOUBTFUL.format(why=why))

    def _add(self, code: str, index: int, message: str) -> None:
        for place in range(len(self._losses) - 1, -1, -1):
            last = self._losses[place]
            if last.code == code:
                if last.first_index + last.count == index and last.message == message:
                    self._losses[place] = Loss(str(code), last.first_index, last.count + 1, message)
                    return
                break
        self._losses.append(Loss(str(code), index, 1, message))
