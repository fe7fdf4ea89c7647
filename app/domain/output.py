"""What a plugin may give for a frame: typed outputs, their check, and their canonical examples."""

from typing import Final

import msgspec

from app.domain.flaw import (
    LARGEST,
    flaw_in_confidence,
    flaw_in_items,
    flaw_in_place,
    flaw_in_shapes,
    flaw_in_text,
    is_finite,
    shown,
)
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
_WIDEST: Final = 65535  # cells of a mask, each way
OUTPUT_TYPES: Final = (Detections, Classification, Text, Keypoints, Mask, Measurements)
OUTPUT_KINDS: Final = {str(kind.__struct_config__.tag): kind for kind in OUTPUT_TYPES}
TRACKS: Final = "tracks"  # detections with track ids; what a plugin may need of an earlier stage, beside the kinds above
LABELLED_KINDS: Final = frozenset({"detections", "classification", "text", "keypoints", "mask"})  # what is found has a label
RATED_KINDS: Final = LABELLED_KINDS - {"mask"}  # and a confidence

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


def found_in(output: Output) -> list[tuple[str, float]]:
    """Label and confidence of everything found; a mask's labels and measurements are as sure as can be."""
    if isinstance(output, Detections):
        return [(item.label, item.confidence) for item in output.detections]
    if isinstance(output, Classification):
        return [(item.label, item.confidence) for item in output.classes]
    if isinstance(output, Text):
        return [(item.text, item.confidence) for item in output.blocks]
    if isinstance(output, Keypoints):
        return [(item.name, item.confidence) for item in output.points]
    if isinstance(output, Mask):
        seen = {value for value, run in zip(output.rle[::2], output.rle[1::2], strict=True) if value and run}
        return [(output.labels[value - 1], 1.0) for value in sorted(seen)]
    return [(item.name, 1.0) for item in output.measurements]


def find_flaw(output: object) -> str | None:
    """Say what is wrong with an output in a sentence, or None where it may be stored.

    Takes anything and never raises; what has no flaw can be written as JSON. Numbers must be plain ones, not numpy's.
    """
    if isinstance(output, Detections):
        flaw = flaw_in_items("detections", output.detections, Detection) or _flaw_in_detections(output.detections)
    elif isinstance(output, Text):
        flaw = flaw_in_items("blocks", output.blocks, TextBlock) or _flaw_in_blocks(output.blocks)
    elif isinstance(output, Classification):
        flaw = flaw_in_items("classes", output.classes, ClassScore) or _flaw_in_classes(output.classes)
    elif isinstance(output, Keypoints):
        flaw = flaw_in_items("points", output.points, Keypoint) or _flaw_in_points(output.points)
    elif isinstance(output, Mask):
        flaw = _flaw_in_mask(output)
    elif isinstance(output, Measurements):
        flaw = flaw_in_items("measurements", output.measurements, Measurement) or _flaw_in_numbers(output.measurements)
    else:
        return f"process_frame gave {type(output).__name__}, expected one of {', '.join(t.__name__ for t in OUTPUT_TYPES)}"
    return flaw or flaw_in_shapes(output.shapes)


def _flaw_in_detections(detections: tuple[Detection, ...]) -> str | None:
    for item in detections:
        flaw = flaw_in_place(item.confidence, item.box) or flaw_in_text("label", item.label)
        if flaw:
            return flaw
        track = item.track_id
        if track is not None and (type(track) is not int or not -LARGEST <= track <= LARGEST):
            return f"track_id is {shown(track)}, expected a plain whole number of at most 64 bits"
    return None


def _flaw_in_blocks(blocks: tuple[TextBlock, ...]) -> str | None:
    for block in blocks:
        flaw = flaw_in_place(block.confidence, block.box) or flaw_in_text("text", block.text)
        if not flaw and block.language is not None:
            flaw = flaw_in_text("language", block.language)
        if flaw:
            return flaw
    return None


def _flaw_in_classes(classes: tuple[ClassScore, ...]) -> str | None:
    return next((f for c in classes if (f := flaw_in_confidence(c.confidence) or flaw_in_text("label", c.label))), None)


def _flaw_in_points(points: tuple[Keypoint, ...]) -> str | None:
    for point in points:
        flaw = flaw_in_confidence(point.confidence) or flaw_in_text("name", point.name)
        if flaw:
            return flaw
        if not (is_finite(point.x) and is_finite(point.y)):
            return f"keypoint {point.name!r} is at ({shown(point.x)}, {shown(point.y)}), expected finite fractions"
    return None


def _flaw_in_numbers(measurements: tuple[Measurement, ...]) -> str | None:
    for item in measurements:
        flaw = flaw_in_text("name", item.name) or flaw_in_text("unit", item.unit)
        if flaw:
            return flaw
        if not is_finite(item.value):
            return f"measurement {item.name!r} is {shown(item.value)}, expected a finite number"
    return None


def _flaw_in_mask(mask: Mask) -> str | None:
    for name, items, kind in (("labels", mask.labels, str), ("rle", mask.rle, int), ("size", (mask.width, mask.height), int)):
        if flaw := flaw_in_items(name, items, kind):
            return flaw
    if flaw := next((f for label in mask.labels if (f := flaw_in_text("label", label))), None):
        return flaw
    if not (0 <= mask.width <= _WIDEST and 0 <= mask.height <= _WIDEST):
        return f"the mask has {mask.width} x {mask.height} cells, expected 0 to {_WIDEST} each way"
    runs = mask.rle[1::2]
    if len(mask.rle) % 2 or sum(runs) != mask.width * mask.height or min(runs, default=0) < 0:
        return f"the mask's runs cover {sum(runs)} cells, expected {mask.width} x {mask.height} in runs of 0 or more"
    wrong = next((value for value in mask.rle[::2] if not 0 <= value <= len(mask.labels)), None)
    return None if wrong is None else f"the mask holds the value {wrong}, expected 0 to {len(mask.labels)}"
