"""The album of a job with followers: pictures wait in it until the followers have been there, and leave at an even pace."""

from collections import deque
from typing import Final

import msgspec

from app.engine.messages import Followed, Picture

_MOST: Final = 40


class Album:
    """Pictures in the order of their frames; the oldest leave unseen where they become too many."""

    def __init__(self) -> None:
        self._waiting: deque[Picture] = deque(maxlen=_MOST)
        self._whole: deque[Picture] = deque(maxlen=_MOST)

    def keep(self, picture: Picture) -> None:
        """Take in a picture whose followers are still to come."""
        self._waiting.append(picture)

    def wanted(self, start: int, end: int) -> tuple[int, ...]:
        """Frames of `[start, end)` whose pictures wait."""
        return tuple(picture.frame_index for picture in self._waiting if start <= picture.frame_index < end)

    def complete(self, followed: Followed) -> None:
        """Give a picture what all stages found on it; those of earlier frames that never got theirs are let go."""
        while self._waiting and self._waiting[0].frame_index <= followed.frame_index:
            picture = self._waiting.popleft()
            if picture.frame_index == followed.frame_index:
                self._whole.append(msgspec.structs.replace(picture, outputs=followed.outputs))

    def next(self) -> Picture | None:
        """The picture to be shown next, once."""
        return self._whole.popleft() if self._whole else None

    def last(self) -> Picture | None:
        """The newest whole picture; the others are let go."""
        picture = self._whole[-1] if self._whole else None
        self._whole.clear()
        return picture
