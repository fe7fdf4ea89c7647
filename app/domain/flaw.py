"""What is wrong with a value that is to be written as JSON: checks that take anything and never raise."""

from math import isfinite
from typing import Final

from app.domain.geometry import Box, Point, Shape, ShapeKind

_NUMBER: Final = frozenset((float, int))  # exactly these: a numpy.float64 is a float that cannot be written, True is no number
LARGEST: Final = 2**63 - 1  # JSON is written with whole numbers of 64 bits


def is_finite(value: object) -> bool:
    """Say whether a value is a plain finite number."""
    if type(value) is float:
        return isfinite(value)
    return type(value) is int and -LARGEST <= value <= LARGEST


def shown(value: object) -> str:
    """Show a wrong value with its type, shortly: it may be anything, also an array."""
    return f"{value!r}" if type(value) in _NUMBER else f"a {type(value).__name__}"


def flaw_in_items(name: str, items: object, kind: type) -> str | None:
    """Check that a list holds nothing but one type."""
    if not isinstance(items, tuple | list):
        return f"{name} is {shown(items)}, expected a tuple of {kind.__name__}"
    for item in items:
        if type(item) is not kind:
            return f"{name} holds {shown(item)}, expected {kind.__name__}"
    return None


def flaw_in_text(name: str, value: object) -> str | None:
    """Check that a value is text that UTF-8 can hold."""
    if not isinstance(value, str):
        return f"{name} is {shown(value)}, expected text"
    if value.isascii():
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return f"{name} is {value!r}, which cannot be written as UTF-8"
    return None


def flaw_in_confidence(value: object) -> str | None:
    """Check a confidence, 0 to 1."""
    if type(value) in _NUMBER and 0 <= value <= 1:  # type: ignore[operator]  # a float or an int, by now
        return None
    return f"confidence is {shown(value)}, expected a plain number from 0 to 1"


def flaw_in_place(confidence: object, box: object) -> str | None:
    """Check what every found thing has."""
    if flaw := flaw_in_confidence(confidence):
        return flaw
    if type(box) is not Box:
        return f"box is {shown(box)}, expected Box"
    x, y, w, h = box
    if not (type(x) in _NUMBER and type(y) in _NUMBER and type(w) in _NUMBER and type(h) in _NUMBER):
        return f"box holds {', '.join(shown(value) for value in box)}, expected plain numbers"
    if not box.inside():
        return f"box {list(box)} is not within the frame (fractions x, y, w, h between 0 and 1)"
    return None


def flaw_in_shapes(shapes: tuple[Shape, ...]) -> str | None:
    """Check what is to be drawn beside the findings."""
    if flaw := flaw_in_items("shapes", shapes, Shape):
        return flaw
    for shape in shapes:
        if flaw := flaw_in_text("label", shape.label):
            return flaw
        if type(shape.kind) is not ShapeKind:
            return f"the kind of shape {shape.label!r} is {shown(shape.kind)}, expected one of {', '.join(ShapeKind)}"
        if flaw := flaw_in_items("points", shape.points, Point):
            return f"shape {shape.label!r}: {flaw}"
        if not all(is_finite(point.x) and is_finite(point.y) for point in shape.points):
            return f"shape {shape.label!r} has a point that is not finite"
    return None
