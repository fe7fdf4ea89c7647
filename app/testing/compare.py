"""Holds what came against what was expected: in what a person would call the same order, within a tolerance."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from app.domain.output import Output

_ROUNDING: Final = 1e-6
_NAMED_BY: Final = {"detections": "label", "blocks": "text", "classes": "label", "points": "name", "measurements": "name"}
Tolerance = Mapping[str, float]


def find_difference(expected: Output, came: Output, tolerance: Tolerance) -> str | None:
    """Say in a sentence how an output differs from the one expected, or None where it does not.

    Found things are paired by their name and nearest place, whatever their order; numbers may differ by the tolerance of
    their field.
    """
    wanted, given = msgspec.to_builtins(expected), msgspec.to_builtins(came)
    if wanted["kind"] != given["kind"]:
        return f"expected {wanted['kind']}, came {given['kind']}"
    for field in sorted(wanted.keys() | given.keys()):
        ours, theirs = wanted.get(field, []), given.get(field, [])
        if field in _NAMED_BY:
            difference = _in_things(field, ours, theirs, tolerance)
        else:
            difference = find_difference_in_values(field, ours, theirs, tolerance)
        if difference:
            return difference
    return None


def find_difference_in_values(
    place: str, expected: Any, came: Any, tolerance: Tolerance, within: float = _ROUNDING
) -> str | None:
    """Say where two plain values differ; `within` holds for numbers whose field has no tolerance of its own."""
    pairs: list[tuple[str, Any, Any, float]] = []
    if isinstance(expected, dict) and isinstance(came, dict):
        if expected.keys() != came.keys():
            return f"{place} has {_names(came)}, expected {_names(expected)}"
        pairs = [(f"{place}.{name}", expected[name], came[name], tolerance.get(name, within)) for name in expected]
    elif isinstance(expected, list | tuple) and isinstance(came, list | tuple):
        if len(expected) != len(came):
            return f"{place} has {len(came)} items, expected {len(expected)}"
        pairs = [(f"{place}[{n}]", *both, within) for n, both in enumerate(zip(expected, came, strict=True))]
    elif _is_number(expected) and _is_number(came):
        near = abs(expected - came) <= within
        return None if near else f"{place} is {came:g}, expected {expected:g} (± {within:g})"
    elif expected != came:
        return f"{place} is {came!r}, expected {expected!r}"
    differences = (find_difference_in_values(at, one, other, tolerance, near) for at, one, other, near in pairs)
    return next(filter(None, differences), None)


def _in_things(field: str, expected: Sequence[Any], came: Sequence[Any], tolerance: Tolerance) -> str | None:
    name = _NAMED_BY[field]
    left = list(came)
    for thing in expected:
        alike = [one for one in left if one[name] == thing[name]]
        if not alike:
            found = ", ".join(sorted(str(one[name]) for one in left)) or "nothing more"
            return f"expected {thing[name]!r}{_at(thing)} among the {field}, came {found}"
        nearest = min(alike, key=lambda one: _distance(thing, one))
        left.remove(nearest)
        difference = find_difference_in_values(f"{field} {thing[name]!r}", thing, nearest, tolerance)
        if difference:
            return difference
    return f"came {left[0][name]!r}{_at(left[0])} among the {field}, which was not expected" if left else None


def _distance(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    fields = [name for name in ("box", "x", "y", "value", "confidence") if name in one and name in other]
    if "box" in fields:
        return float(sum(abs(a - b) for a, b in zip(one["box"], other["box"], strict=True)))
    return float(sum(abs(one[name] - other[name]) for name in fields))


def _at(thing: Mapping[str, Any]) -> str:
    return f" at {[round(value, 3) for value in thing['box']]}" if "box" in thing else ""


def _names(values: Mapping[str, Any]) -> str:
    return ", ".join(sorted(values)) or "nothing"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
