"""What is left of an overlay and of metrics for who asked for some plugins, some labels, or a least confidence."""

from typing import Any

import msgspec
import pytest

from app.domain.geometry import Box, Shape, ShapeKind
from app.domain.insight import INSIGHT_EXAMPLES, Metrics, Overlay
from app.domain.output import (
    EXAMPLES,
    OUTPUT_KINDS,
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
from app.insights.reduction import Reduction
from tests.unit.insights.reader import warning

BOX = Box(0.1, 0.1, 0.2, 0.2)
PLUGINS = {"people": "hog", "moves": "mog", "again": "hog"}


def overlay(**outputs: Output) -> Overlay:
    """Build an overlay with these outputs."""
    return msgspec.structs.replace(INSIGHT_EXAMPLES["overlay"], outputs=outputs)


def left(output: Output, **asked: Any) -> Any:
    """Give what is left of one output."""
    labels = frozenset(asked["labels"]) if "labels" in asked else None
    reduced = Reduction(None, labels, asked.get("min_confidence", 0.0)).of(overlay(people=output), PLUGINS)
    assert isinstance(reduced, Overlay)
    return reduced.outputs["people"]


def test_of_detections_only_those_sure_enough_with_a_label_asked_for_are_left() -> None:
    found = Detections(tuple(Detection(label, sure, BOX) for label, sure in [("cat", 0.9), ("dog", 0.8), ("cat", 0.3)]))
    assert [d.confidence for d in left(found, labels=["cat"]).detections] == [0.9, 0.3]
    assert [d.label for d in left(found, min_confidence=0.8).detections] == ["cat", "dog"]
    assert [d.confidence for d in left(found, labels=["cat", "cow"], min_confidence=0.5).detections] == [0.9]
    assert left(found, labels=["cow"]) == Detections(())


def test_every_kind_of_output_is_reduced_by_what_names_its_parts() -> None:
    assert left(Classification((ClassScore("a", 0.7), ClassScore("b", 0.2))), min_confidence=0.5).classes == (
        ClassScore("a", 0.7),
    )
    points = Keypoints((Keypoint("nose", 0.1, 0.1, 0.9), Keypoint("chin", 0.1, 0.2, 0.9)))
    assert [point.name for point in left(points, labels=["chin"]).points] == ["chin"]
    values = Measurements((Measurement("light", 0.4, ""), Measurement("blur", 2.0, "px")))
    assert [value.name for value in left(values, labels=["blur"]).measurements] == ["blur"]
    assert left(values, min_confidence=1.0) == values
    text = Text((TextBlock("EXIT", 0.9, BOX), TextBlock("EX1T", 0.4, BOX)))
    assert [block.text for block in left(text, min_confidence=0.5).blocks] == ["EXIT"]
    assert left(text, labels=["EXIT"]).blocks == (), "words that were read are no label"


def test_cells_of_a_mask_that_were_not_asked_for_are_empty_and_the_grid_stays_whole() -> None:
    mask = Mask(("road", "car"), 4, 2, (0, 1, 1, 2, 2, 1, 1, 4))
    assert left(mask, labels=["car"]).rle == (0, 3, 2, 1, 0, 4)
    assert left(mask, labels=["road"]).rle == (0, 1, 1, 2, 0, 1, 1, 4)
    assert left(mask, labels=["sky"]).rle == (0, 8)
    assert left(mask, min_confidence=0.9) == mask


def test_shapes_stay_unless_labels_are_asked_for_that_they_do_not_carry() -> None:
    line = Shape(ShapeKind.LINE, ((0.0, 0.0), (1.0, 1.0)), "door")
    found = Detections((Detection("cat", 0.9, BOX),), (line, Shape(ShapeKind.POINT, ((0.5, 0.5),), "")))
    assert left(found, min_confidence=0.95).shapes == found.shapes
    assert left(found, labels=["door"]) == Detections((), (line,))


@pytest.mark.parametrize("kind", OUTPUT_KINDS)
def test_an_example_of_every_kind_is_reduced_to_a_valid_output(kind: str) -> None:
    reduced = left(EXAMPLES[kind], labels=["no such label"], min_confidence=0.5)
    assert msgspec.json.decode(msgspec.json.encode(reduced), type=type(EXAMPLES[kind])) == reduced
    assert type(reduced) is type(EXAMPLES[kind])


def test_only_stages_that_run_a_plugin_asked_for_are_left() -> None:
    hog = Reduction(frozenset({"hog"}))
    reduced = hog.of(overlay(people=EXAMPLES["detections"], moves=EXAMPLES["mask"], again=EXAMPLES["text"]), PLUGINS)
    assert isinstance(reduced, Overlay)
    assert set(reduced.outputs) == {"people", "again"}
    assert reduced.outputs["people"] == EXAMPLES["detections"]
    row = INSIGHT_EXAMPLES["metrics"].stages[0]  # type: ignore[attr-defined]  # the example is of its type
    rows = tuple(msgspec.structs.replace(row, stage=stage) for stage in PLUGINS)
    metrics = hog.of(msgspec.structs.replace(INSIGHT_EXAMPLES["metrics"], stages=rows), PLUGINS)
    assert isinstance(metrics, Metrics)
    assert [row.stage for row in metrics.stages] == ["people", "again"]


def test_what_is_no_overlay_and_no_metrics_stays_itself() -> None:
    fact = warning("a")
    assert Reduction(frozenset({"mog"}), frozenset({"cat"}), 0.9).of(fact, PLUGINS) is fact
