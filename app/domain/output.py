"""What a plugin may give for a frame: typed outputs, their check, and their canonical examples."""

from math import isfinite
from typing import Final

import msgspec

from app.domain.geometry import Box, Point, Shape, ShapeKind


class Detection(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing found: its label, confidence 0 to 1, box, and the track it belongs to where one is known."""

    label: str
    confidence: float
    box: Box
    track_id: int | None = None


class ClassScore(msgspec.Struct, frozen=True):
    """One label the whole frame may carry, with its confidence 0 to 1."""

    label: str
    confidence: float


class TextBlock(msgspec.Struct, frozen=True, omit_defaults=True):
    """A run of text read from the frame; `language` is a BCP 47 tag where known."""

    text: str
    confidence: float
    box: Box
    language: str | None = None


class Keypoint(msgspec.Struct, frozen=True):
    """A named point of something found; x and y are fractions of the frame."""

    name: str
    x: float
    y: float
    confidence: float


class Measurement(msgspec.Struct, frozen=True):
    """A number measured on the frame, with its unit (empty where it has none)."""

    name: str
    value: float
    unit: str


class Detections(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="detections"):
    """Things found in the frame; an empty list says that nothing was found."""

    detections: tuple[Detection, ...]
    shapes: tuple[Shape, ...] = ()


class Classification(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="classification"):
    """Labels of the whole frame, best first."""

    classes: tuple[ClassScore, ...]
    shapes: tuple[Shape, ...] = ()


class Text(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="text"):
    """Text read from the frame."""

    blocks: tuple[TextBlock, ...]
    shapes: tuple[Shape, ...] = ()


class Keypoints(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="keypoints"):
    """Named points in the frame."""

    points: tuple[Keypoint, ...]
    shapes: tuple[Shape, ...] = ()


class Mask(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="mask"):
    """A label for each cell of a grid laid over the frame.

    `rle` holds value, run, value, run … in row order over `width` × `height` cells; value 0 is nothing, k is `labels[k - 1]`.
    """

    labels: tuple[str, ...]
    width: int
    height: int
    rle: tuple[int, ...]
    shapes: tuple[Shape, ...] = ()


class Measurements(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="measurements"):
    """Numbers measured on the frame."""

    measurements: tuple[Measurement, ...]
    shapes: tuple[Shape, ...] = ()


Output = Detections | Classification | Text | Keypoints | Mask | Measurements
OUTPUT_TYPES: Final = (Detections, Classification, Text, Keypoints, Mask, Measurements)
OUTPUT_KINDS: Final = {str(kind.__struct_config__.tag): kind for kind in OUTPUT_TYPES}

EXAMPLES: Final[dict[str, Output]] = {
    "detections": Detections(
        (Detection("circle", 0.97, Box(0.2, 0.3, 0.1, 0.15), track_id=4), Detection("square", 0.88, Box(0.6, 0.1, 0.2, 0.2)))
    ),
    "classification": Classification((ClassScore("street", 0.91), ClassScore("square", 0.06))),
    "text": Text((TextBlock("EXIT 12", 0.93, Box(0.4, 0.05, 0.2, 0.08), language="en"),)),
    "keypoints": Keypoints((Keypoint("left_eye", 0.41, 0.32, 0.99), Keypoint("right_eye", 0.47, 0.32, 0.98))),
    "mask": Mask(("road",), 4, 2, (0, 4, 1, 4)),
    "measurements": Measurements(
        (Measurement("sharpness", 182.5, ""), Measurement("brightness", 41.0, "%")),
        shapes=(Shape(ShapeKind.LINE, (Point(0.0, 0.5), Point(1.0, 0.5)), "horizon"),),
    ),
}


def find_flaw(output: object) -> str | None:
    """Say what is wrong with an output in a sentence, or None where it may be stored."""
    if isinstance(output, Detections):
        return _flaw_in_boxes(output.detections) or _flaw_in_shapes(output.shapes)
    if isinstance(output, Text):
        return _flaw_in_boxes(output.blocks) or _flaw_in_shapes(output.shapes)
    if isinstance(output, Classification):
        scores = (score.confidence for score in output.classes)
        return next((_bad_confidence(c) for c in scores if not 0 <= c <= 1), None) or _flaw_in_shapes(output.shapes)
    if isinstance(output, Keypoints):
        return _flaw_in_points(output.points) or _flaw_in_shapes(output.shapes)
    if isinstance(output, Mask):
        return _flaw_in_mask(output) or _flaw_in_shapes(output.shapes)
    if isinstance(output, Measurements):
        bad = next((m for m in output.measurements if not isfinite(m.value)), None)
        return f"measurement {bad.name!r} is {bad.value}, expected a finite number" if bad else _flaw_in_shapes(output.shapes)
    return f"process_frame gave {type(output).__name__}, expected one of {', '.join(t.__name__ for t in OUTPUT_TYPES)}"


def _bad_confidence(value: float) -> str:
    return f"confidence is {value}, expected 0 to 1"


def _flaw_in_boxes(items: tuple[Detection, ...] | tuple[TextBlock, ...]) -> str | None:
    for item in items:
        if not 0 <= item.confidence <= 1:
            return _bad_confidence(item.confidence)
        if not item.box.inside():
            return f"box {list(item.box)} is not within the frame (fractions x, y, w, h between 0 and 1)"
    return None


def _flaw_in_points(points: tuple[Keypoint, ...]) -> str | None:
    for point in points:
        if not 0 <= point.confidence <= 1:
            return _bad_confidence(point.confidence)
        if not (isfinite(point.x) and isfinite(point.y)):
            return f"keypoint {point.name!r} is at ({point.x}, {point.y}), expected finite fractions"
    return None


def _flaw_in_mask(mask: Mask) -> str | None:
    if len(mask.rle) % 2 or sum(mask.rle[1::2]) != mask.width * mask.height:
        return f"the mask's runs cover {sum(mask.rle[1::2])} cells, expected {mask.width} x {mask.height}"
    wrong = next((value for value in mask.rle[::2] if not 0 <= value <= len(mask.labels)), None)
    return None if wrong is None else f"the mask holds the value {wrong}, expected 0 to {len(mask.labels)}"


def _flaw_in_shapes(shapes: tuple[Shape, ...]) -> str | None:
    for shape in shapes:
        if not all(isfinite(p[0]) and isfinite(p[1]) for p in shape.points):
            return f"shape {shape.label!r} has a point that is not finite"
    return None
