"""What differs between two outputs for the same frame: the regression check for a plugin's new version."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from app.domain.geometry import Box
from app.domain.output import Classification, Detection, Detections, Keypoints, Mask, Measurements, Output, Text

SAME_THING_IOU: Final = 0.5  # two boxes of one label that overlap so much are the same thing
SAME_PLACE_IOU: Final = 0.9  # below this it has moved
CONFIDENCE_SLACK: Final = 0.05
PLACE_SLACK: Final = 0.01  # a hundredth of the frame
RELATIVE_SLACK: Final = 0.02

_Named = tuple[str, tuple[float, ...]]


class Difference(msgspec.Struct, frozen=True):
    """How many findings only the first output has, only the second, and both but not alike."""

    only_first: int = 0
    only_second: int = 0
    changed: int = 0

    def __bool__(self) -> bool:
        """Say whether anything differs."""
        return bool(self.only_first or self.only_second or self.changed)


NO_DIFFERENCE: Final = Difference()


def difference(first: Output | None, second: Output | None) -> Difference:
    """Compare two outputs of a stage; None stands for a frame the stage did not do.

    Boxes are matched by label and overlap, other findings by their names; small moves and small changes of confidence are
    no difference. Shapes, which only decorate, are left out.
    """
    if first is None or second is None or type(first) is not type(second):
        return Difference(count(first), count(second)) if first is not second else NO_DIFFERENCE
    if isinstance(first, Detections) and isinstance(second, Detections):
        return _of_detections(first.detections, second.detections)
    if isinstance(first, Mask) and isinstance(second, Mask):
        same = (first.labels, first.width, first.height, first.rle) == (second.labels, second.width, second.height, second.rle)
        return NO_DIFFERENCE if same else Difference(changed=1)
    return _of_named(_named(first), _named(second), _slack(first))


def count(output: Output | None) -> int:
    """How many findings an output has."""
    if isinstance(output, Mask):
        return len(output.labels)
    return 0 if output is None else len(_named(output))


def labels(output: Output) -> Iterable[str]:
    """The names an output's findings go by, one for each finding."""
    if isinstance(output, Mask):
        return output.labels
    return [name for name, _ in _named(output)]


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes; 0 where either has no area."""
    width = min(one.x + one.w, other.x + other.w) - max(one.x, other.x)
    height = min(one.y + one.h, other.y + other.h) - max(one.y, other.y)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (one.w * one.h + other.w * other.h - shared)


def _of_detections(first: Sequence[Detection], second: Sequence[Detection]) -> Difference:
    """Match the pairs that overlap most first, so that the order of findings does not matter."""
    pairs = [
        (shared, i, j)
        for i, one in enumerate(first)
        for j, other in enumerate(second)
        if one.label == other.label and (shared := overlap(one.box, other.box)) >= SAME_THING_IOU
    ]
    matched: dict[int, int] = {}
    taken: set[int] = set()
    changed = 0
    for shared, i, j in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if i in matched or j in taken:
            continue
        matched[i] = j
        taken.add(j)
        changed += shared < SAME_PLACE_IOU or abs(first[i].confidence - second[j].confidence) > CONFIDENCE_SLACK
    return Difference(len(first) - len(matched), len(second) - len(taken), changed)


def _named(output: Output) -> list[_Named]:
    """Findings by the name they are matched by, with the numbers that may differ a little."""
    if isinstance(output, Detections):
        return [(d.label, d.box) for d in output.detections]
    if isinstance(output, Classification):
        return [(c.label, (c.confidence,)) for c in output.classes]
    if isinstance(output, Text):
        return [(b.text, b.box) for b in output.blocks]
    if isinstance(output, Keypoints):
        return [(p.name, (p.x, p.y)) for p in output.points]
    if isinstance(output, Measurements):
        return [(m.name, (m.value,)) for m in output.measurements]
    return []


def _slack(output: Output) -> tuple[float, float]:
    """How far numbers may lie apart: absolutely, and as a part of the larger one."""
    if isinstance(output, Measurements):
        return 1e-6, RELATIVE_SLACK
    return (CONFIDENCE_SLACK if isinstance(output, Classification) else PLACE_SLACK), 0.0


def _of_named(first: list[_Named], second: list[_Named], slack: tuple[float, float]) -> Difference:
    """Match findings of one name in the order of their numbers."""
    one, other = _grouped(first), _grouped(second)
    changed = sum(
        not all(_near(a, b, slack) for a, b in zip(these, those, strict=True))
        for name in one.keys() & other.keys()
        for these, those in zip(one[name], other[name], strict=False)
    )
    shared = sum(min(len(one[name]), len(other[name])) for name in one.keys() & other.keys())
    return Difference(len(first) - shared, len(second) - shared, changed)


def _grouped(findings: list[_Named]) -> dict[str, list[tuple[float, ...]]]:
    groups: dict[str, list[tuple[float, ...]]] = {}
    for name, numbers in sorted(findings):
        groups.setdefault(name, []).append(numbers)
    return groups


def _near(one: float, other: float, slack: tuple[float, float]) -> bool:
    return abs(one - other) <= max(slack[0], slack[1] * max(abs(one), abs(other)))
