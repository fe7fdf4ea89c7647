"""What differs between two outputs: findings gained, lost and changed, whatever their order."""

import pytest

from app.domain.difference import NO_DIFFERENCE, Difference, difference, overlap
from app.domain.geometry import Box
from app.domain.output import (
    EXAMPLES,
    Classification,
    ClassScore,
    Detection,
    Detections,
    Keypoint,
    Keypoints,
    Mask,
    Measurement,
    Measurements,
    Output,
    Text,
    TextBlock,
)

CIRCLE = Detection("circle", 0.9, Box(0.1, 0.1, 0.2, 0.2))
SQUARE = Detection("square", 0.8, Box(0.6, 0.6, 0.2, 0.2))


def moved(by: float, confidence: float = 0.9, label: str = "circle") -> Detection:
    return Detection(label, confidence, Box(0.1 + by, 0.1, 0.2, 0.2))


@pytest.mark.parametrize("output", EXAMPLES.values(), ids=EXAMPLES)
def test_an_output_does_not_differ_from_itself_and_wholly_from_none(output: Output) -> None:
    assert difference(output, output) == NO_DIFFERENCE
    lost = difference(output, None)
    assert lost.only_first > 0
    assert (lost.only_second, lost.changed) == (0, 0)
    assert difference(None, output) == Difference(0, lost.only_first)
    assert difference(None, None) == NO_DIFFERENCE


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ((SQUARE, CIRCLE), Difference()),
        ((CIRCLE,), Difference(1, 0)),
        ((CIRCLE, SQUARE, moved(0.5)), Difference(0, 1)),
        ((moved(0.005), SQUARE), Difference()),
        ((moved(0.05), SQUARE), Difference(0, 0, 1)),
        ((moved(0.0, confidence=0.7), SQUARE), Difference(0, 0, 1)),
        ((moved(0.15), SQUARE), Difference(1, 1)),
        ((moved(0.0, label="triangle"), SQUARE), Difference(1, 1)),
        ((moved(0.05), CIRCLE, SQUARE), Difference(0, 1)),
    ],
)
def test_boxes_are_matched_by_label_and_overlap(second: tuple[Detection, ...], expected: Difference) -> None:
    assert difference(Detections((CIRCLE, SQUARE)), Detections(second)) == expected
    mirrored = Difference(expected.only_second, expected.only_first, expected.changed)
    assert difference(Detections(second), Detections((CIRCLE, SQUARE))) == mirrored


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (Measurements((Measurement("a", 100.0, ""),)), Measurements((Measurement("a", 101.0, ""),)), Difference()),
        (Measurements((Measurement("a", 100.0, ""),)), Measurements((Measurement("a", 110.0, ""),)), Difference(0, 0, 1)),
        (Measurements((Measurement("a", 0.0, ""),)), Measurements((Measurement("b", 0.0, ""),)), Difference(1, 1)),
        (Classification((ClassScore("cat", 0.9),)), Classification((ClassScore("cat", 0.5),)), Difference(0, 0, 1)),
        (Text((TextBlock("A", 0.9, CIRCLE.box),)), Text((TextBlock("B", 0.9, CIRCLE.box),)), Difference(1, 1)),
        (Keypoints((Keypoint("eye", 0.5, 0.5, 1),)), Keypoints((Keypoint("eye", 0.505, 0.5, 1),)), Difference()),
        (Keypoints((Keypoint("eye", 0.5, 0.5, 1),)), Keypoints((Keypoint("eye", 0.6, 0.5, 1),)), Difference(0, 0, 1)),
        (
            Keypoints((Keypoint("a", 0, 0, 1), Keypoint("a", 1, 1, 1), Keypoint("b", 0, 0, 1))),
            Keypoints((Keypoint("a", 0, 0, 1), Keypoint("b", 1, 0, 1))),
            Difference(1, 0, 1),
        ),
        (Mask(("road",), 2, 1, (1, 2)), Mask(("road",), 2, 1, (0, 1, 1, 1)), Difference(0, 0, 1)),
        (Detections((CIRCLE,)), Classification((ClassScore("circle", 0.9),)), Difference(1, 1)),
    ],
)
def test_other_findings_are_matched_by_name(first: Output, second: Output, expected: Difference) -> None:
    assert difference(first, second) == expected


def test_overlap_is_the_shared_area_over_the_whole() -> None:
    assert overlap(Box(0, 0, 0.2, 0.2), Box(0.1, 0, 0.2, 0.2)) == pytest.approx(1 / 3)
    assert overlap(Box(0, 0, 0.2, 0.2), Box(0.2, 0, 0.2, 0.2)) == 0
    assert overlap(Box(0, 0, 0, 0), Box(0, 0, 0, 0)) == 0
