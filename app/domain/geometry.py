"""Places on a frame: boxes, points and shapes as fractions of the upright frame, origin top left."""

from enum import StrEnum
from typing import NamedTuple, Self

import msgspec

_SLACK = 1e-6  # rounding a plugin may leave behind when it turns pixels into fractions


class Size(NamedTuple):
    """Width and height of an upright frame, in pixels."""

    width: int
    height: int


class Point(NamedTuple):
    """A point as fractions of the frame's width and height; `[x, y]` in JSON."""

    x: float
    y: float


class Box(NamedTuple):
    """A rectangle as fractions of the frame, from its top left corner; `[x, y, w, h]` in JSON."""

    x: float
    y: float
    w: float
    h: float

    @classmethod
    def from_pixels(cls, x: float, y: float, w: float, h: float, size: tuple[int, int]) -> Self:
        """Turn a rectangle in pixels into fractions of `size` (width, height), cut to the frame."""
        width, height = size
        left, top = min(max(x / width, 0.0), 1.0), min(max(y / height, 0.0), 1.0)
        right, bottom = min(max((x + w) / width, 0.0), 1.0), min(max((y + h) / height, 0.0), 1.0)
        return cls(round(left, 6), round(top, 6), round(right - left, 6), round(bottom - top, 6))

    def to_pixels(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Give the rectangle (x, y, w, h) in whole pixels of a frame of `size` (width, height)."""
        width, height = size
        return round(self.x * width), round(self.y * height), round(self.w * width), round(self.h * height)

    def iou(self, other: "Box") -> float:
        """Intersection over union with another box, 0 to 1 (Jaccard index)."""
        wide = min(self.w, other.w, self.x + self.w - other.x, other.x + other.w - self.x)
        high = min(self.h, other.h, self.y + self.h - other.y, other.y + other.h - self.y)
        shared = max(0.0, wide) * max(0.0, high)
        return shared / (self.w * self.h + other.w * other.h - shared) if shared else 0.0

    def inside(self) -> bool:
        """Say whether the box is finite, not inside out, and within the frame."""
        x, y, w, h = self
        farthest = 1 + _SLACK
        if not (-_SLACK <= x <= farthest and -_SLACK <= y <= farthest and 0 <= w <= farthest and 0 <= h <= farthest):
            return False  # also where one is not a number: that compares with nothing
        return x + w <= farthest and y + h <= farthest


class ShapeKind(StrEnum):
    """What a plugin may ask to be drawn."""

    LINE = "line"
    POLYGON = "polygon"
    POINT = "point"
    TEXT = "text"


class Shape(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something to be drawn over the frame beside a plugin's findings."""

    kind: ShapeKind
    points: tuple[Point, ...]
    label: str = ""
