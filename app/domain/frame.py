"""One frame as a plugin sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.domain.errors import BrokenPlugin
from app.domain.geometry import Size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from app.domain.output import Output


class NoPixels(BrokenPlugin):
    """A plugin that declares it reads no pixels asks for them."""

    sentence = "This frame has no pixels, for plugin.toml says needs_pixels = false; say true there to be given them."


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded frame, upright.

    `pixels` is a read-only array of shape (height, width, 3), uint8, in BGR order; its rows may be strided.
    `index` is the frame's rank by presentation time, `t_s` its media time in seconds (None where unknown).
    `outputs` holds what the stages this one needs gave for the same frame, by stage id.
    A plugin that declares `needs_pixels = false` is given frames whose `pixels` raise NoPixels.
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


class FrameWithoutPixels(Frame):
    """A frame as a plugin sees it that only reads what earlier stages gave: everything is there but the pixels."""

    __slots__ = ("_size",)
    _size: Size

    def __init__(self, size: Size, index: int, t_s: float | None, outputs: "Mapping[str, Output]") -> None:
        given = {"_size": size, "index": index, "t_s": t_s, "outputs": outputs}
        for name, value in given.items():
            object.__setattr__(self, name, value)

    @property
    def pixels(self) -> "NDArray[np.uint8]":
        """Raise NoPixels."""
        raise NoPixels

    @property
    def size(self) -> Size:
        """Width and height in pixels, of the frame that the outputs were found on."""
        return self._size

    def __repr__(self) -> str:
        return f"FrameWithoutPixels(size={self._size!r}, index={self.index!r}, t_s={self.t_s!r}, outputs={self.outputs!r})"
