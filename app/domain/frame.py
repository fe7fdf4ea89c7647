"""One frame as a plugin sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.domain.geometry import Size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from app.domain.output import Output


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded frame, upright.

    `pixels` is a read-only array of shape (height, width, 3), uint8, in BGR order; its rows may be strided.
    `index` is the frame's rank by presentation time, `t_s` its media time in seconds (None where unknown).
    `outputs` holds what the stages this one needs gave for the same frame, by stage id.
    """

    pixels: "NDArray[np.uint8]"
    index: int
    t_s: float | None
    outputs: "Mapping[str, Output]" = field(default_factory=dict)

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        height, width = self.pixels.shape[:2]
        return Size(width, height)
