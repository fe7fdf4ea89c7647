"""Lines that are crossed: on which side of one a point is, and how it is drawn with its counts."""

from typing import Final, NamedTuple, Self

from app.sdk import Point, Shape, ShapeKind, Size

DIRECTIONS: Final = ("in", "out")
_FORM: Final = "NAME X1 Y1 X2 Y2, a name of one word and two points from 0 to 1"
_ARROW: Final = 0.03  # of the frame's height, the length of the arrow that points where in is


class Line(NamedTuple):
    """A named line from one point to another, in fractions of the frame; `in` is to the right, seen along it."""

    name: str
    start: Point
    end: Point

    @classmethod
    def read(cls, text: str) -> Self:
        """Read `NAME X1 Y1 X2 Y2`; raise ValueError saying what was expected."""
        name, *numbers = text.split() or [""]
        try:
            x1, y1, x2, y2 = (float(number) for number in numbers)
        except ValueError:
            raise ValueError(f"a line is {text!r}, expected {_FORM}") from None
        if not all(0 <= number <= 1 for number in (x1, y1, x2, y2)) or (x1, y1) == (x2, y2):
            raise ValueError(f"a line is {text!r}, expected {_FORM}, not twice the same")
        return cls(name, Point(x1, y1), Point(x2, y2))

    def side(self, point: Point) -> float:
        """How far a point is to the right of the line (to the left: negative), in fractions of the frame."""
        across, along = self.end.x - self.start.x, self.end.y - self.start.y
        cross = across * (point.y - self.start.y) - along * (point.x - self.start.x)
        return float(cross / (across**2 + along**2) ** 0.5)

    def meets(self, before: Point, after: Point) -> bool:
        """Say whether the way from one point to another, on the other side, goes over the line and not past its ends."""
        one, other = self.side(before), self.side(after)
        part = one / (one - other)
        x, y = before.x + part * (after.x - before.x), before.y + part * (after.y - before.y)
        across, along = self.end.x - self.start.x, self.end.y - self.start.y
        place = ((x - self.start.x) * across + (y - self.start.y) * along) / (across**2 + along**2)
        return bool(0 <= place <= 1)

    def drawn(self, size: Size, came: int, went: int) -> tuple[Shape, Shape]:
        """Give the line with its counts, and an arrow from its middle to where in is."""
        across, along = (self.end.x - self.start.x) * size.width, (self.end.y - self.start.y) * size.height
        length = (across**2 + along**2) ** 0.5
        reach, half = _ARROW * size.height / length, _ARROW * size.height / length / 2
        x, y = (self.start.x + self.end.x) / 2 * size.width, (self.start.y + self.end.y) / 2 * size.height
        corners = (
            (x - half * across, y - half * along),
            (x - reach * along, y + reach * across),
            (x + half * across, y + half * along),
        )
        arrow = tuple(Point(round(left / size.width, 5), round(top / size.height, 5)) for left, top in corners)
        label = f"{self.name}: {came} in, {went} out"
        return Shape(ShapeKind.LINE, (self.start, self.end), label), Shape(ShapeKind.POLYGON, arrow, "in")
