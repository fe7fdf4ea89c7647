"""Typed outputs: what may be stored, what is wrong with the rest, and their form in JSON."""

from math import inf, nan

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.geometry import Box, Point, Shape, ShapeKind
from app.domain.output import (
    EXAMPLES,
    OUTPUT_KINDS,
    OUTPUT_TYPES,
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
    find_flaw,
)

INSIDE = Box(0.1, 0.1, 0.2, 0.2)
OUTSIDE = Box(0.9, 0.1, 0.2, 0.2)
OFF_SHAPE = (Shape(ShapeKind.POINT, (Point(nan, 0.5),), "here"),)
EMPTY: tuple[Output, ...] = (
    Detections(()), Classification(()), Text(()), Keypoints(()), Mask((), 0, 0, ()), Measurements(())
)  # fmt: skip


def test_every_kind_has_an_example_of_its_own_type() -> None:
    assert {kind: type(example) for kind, example in EXAMPLES.items()} == OUTPUT_KINDS
    assert set(OUTPUT_KINDS.values()) == set(OUTPUT_TYPES)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_an_example_has_no_flaw_and_comes_back_from_json_as_it_was(kind: str) -> None:
    example = EXAMPLES[kind]
    encoded = msgspec.json.encode(example)
    assert find_flaw(example) is None
    assert msgspec.json.decode(encoded)["kind"] == kind
    assert msgspec.json.decode(encoded, type=Output) == example


@pytest.mark.parametrize("output", EMPTY, ids=lambda output: type(output).__name__)
def test_nothing_found_is_a_valid_output(output: Output) -> None:
    assert find_flaw(output) is None


def test_what_has_no_value_is_left_out_of_the_row() -> None:
    assert msgspec.json.encode(Detections((Detection("a", 0.5, INSIDE),))) == (
        b'{"kind":"detections","detections":[{"label":"a","confidence":0.5,"box":[0.1,0.1,0.2,0.2]}]}'
    )


@pytest.mark.parametrize("confidence", [-0.01, 1.01, nan, inf])
@pytest.mark.parametrize("kind", ["detections", "text", "classification", "keypoints"])
def test_a_confidence_that_is_not_between_0_and_1_is_a_flaw(kind: str, confidence: float) -> None:
    outputs = {
        "detections": Detections((Detection("a", 0.5, INSIDE), Detection("b", confidence, INSIDE))),
        "text": Text((TextBlock("a", confidence, INSIDE),)),
        "classification": Classification((ClassScore("a", 0.5), ClassScore("b", confidence))),
        "keypoints": Keypoints((Keypoint("a", 0.5, 0.5, confidence),)),
    }
    assert find_flaw(outputs[kind]) == f"confidence is {confidence}, expected a plain number from 0 to 1"


@pytest.mark.parametrize("output", [Detections((Detection("a", 0.5, OUTSIDE),)), Text((TextBlock("a", 0.5, OUTSIDE),))])
def test_a_box_outside_the_frame_is_a_flaw(output: Output) -> None:
    expected = "box [0.9, 0.1, 0.2, 0.2] is not within the frame (fractions x, y, w, h between 0 and 1)"
    assert find_flaw(output) == expected


def test_numbers_that_are_not_finite_are_flaws() -> None:
    assert find_flaw(Measurements((Measurement("speed", nan, "m/s"),))) == (
        "measurement 'speed' is nan, expected a finite number"
    )  # fmt: skip
    assert (
        find_flaw(Keypoints((Keypoint("eye", inf, 0.5, 1.0),))) == "keypoint 'eye' is at (inf, 0.5), expected finite fractions"
    )


@pytest.mark.parametrize(
    ("mask", "flaw"),
    [
        (Mask(("a",), 4, 2, (0, 4, 1, 3)), "the mask's runs cover 7 cells, expected 4 x 2 in runs of 0 or more"),
        (Mask(("a",), 4, 2, (0, 8, 1)), "the mask's runs cover 8 cells, expected 4 x 2 in runs of 0 or more"),
        (Mask(("a",), 4, 2, (0, 4, 2, 4)), "the mask holds the value 2, expected 0 to 1"),
        (Mask(("a",), -4, -2, (0, 8)), "the mask has -4 x -2 cells, expected 0 to 65535 each way"),
        (Mask(("a",), 2**70, 0, ()), f"the mask has {2**70} x 0 cells, expected 0 to 65535 each way"),
        (Mask(("a",), 4, 2, (-1, 8)), "the mask holds the value -1, expected 0 to 1"),
    ],
)
def test_a_mask_must_cover_its_grid_with_its_own_labels(mask: Mask, flaw: str) -> None:
    assert find_flaw(mask) == flaw


def test_a_mask_s_runs_cannot_go_back() -> None:
    assert find_flaw(Mask(("a",), 4, 2, (0, 9, 1, -1))) == (
        "the mask's runs cover 8 cells, expected 4 x 2 in runs of 0 or more"
    )  # fmt: skip


@pytest.mark.parametrize("output", EMPTY, ids=lambda output: type(output).__name__)
def test_a_shape_that_cannot_be_drawn_is_a_flaw_of_any_output(output: Output) -> None:
    flawed = msgspec.structs.replace(output, shapes=OFF_SHAPE)
    assert find_flaw(flawed) == "shape 'here' has a point that is not finite"


@pytest.mark.parametrize(
    ("output", "flaw"),
    [
        (
            Detections((Detection("a", np.float64(0.5), INSIDE),)),
            "confidence is a float64, expected a plain number from 0 to 1",
        ),
        (
            Detections((Detection("a", np.float32(0.5), INSIDE),)),
            "confidence is a float32, expected a plain number from 0 to 1",
        ),
        (Detections((Detection("a", True, INSIDE),)), "confidence is a bool, expected a plain number from 0 to 1"),
        (
            Detections((Detection("a", 0.5, Box(*np.zeros(4))),)),
            "box holds a float64, a float64, a float64, a float64, expected",
        ),
        (Detections((Detection("a", 0.5, (0.1, 0.1, 0.2, 0.2)),)), "box is a tuple, expected Box"),
        (Detections((Detection("a", 0.5, np.zeros(4)),)), "box is a ndarray, expected Box"),
        (Detections((Detection(7, 0.5, INSIDE),)), "label is 7, expected text"),
        (Detections((Detection("\ud800", 0.5, INSIDE),)), "label is '\\ud800', which cannot be written as UTF-8"),
        (Detections((Detection("a", 0.5, INSIDE, np.int64(3)),)), "track_id is a int64, expected a plain whole number"),
        (Detections((Detection("a", 0.5, INSIDE, 2**64),)), "track_id is 18446744073709551616, expected a plain whole number"),
        (Detections(None), "detections is a NoneType, expected a tuple of Detection"),
        (Detections((None,)), "detections holds a NoneType, expected Detection"),
        (Detections(({"label": "a"},)), "detections holds a dict, expected Detection"),
        (Detections(np.zeros(3)), "detections is a ndarray, expected a tuple of Detection"),
        (Detections((), shapes=None), "shapes is a NoneType, expected a tuple of Shape"),
        (Detections((), (Shape("star", ()),)), "the kind of shape '' is a str, expected one of line, polygon, point, text"),
        (
            Detections((), (Shape(ShapeKind.LINE, ((0, 0), (1, 1)), "gate"),)),
            "shape 'gate': points holds a tuple, expected Point",
        ),
        (Text((TextBlock(b"abc", 0.5, INSIDE),)), "text is a bytes, expected text"),
        (Text((TextBlock("a", 0.5, INSIDE, 3),)), "language is 3, expected text"),
        (Classification((ClassScore("a", "0.5"),)), "confidence is a str, expected a plain number from 0 to 1"),
        (
            Keypoints((Keypoint("a", np.float64(0.5), 0.5, 1),)),
            "keypoint 'a' is at (a float64, 0.5), expected finite fractions",
        ),
        (Measurements((Measurement("v", np.float64(1), ""),)), "measurement 'v' is a float64, expected a finite number"),
        (Measurements((Measurement("v", 10**400, ""),)), "measurement 'v' is 1000"),
        (Detections((Detection("a", 0.5, Box(10**400, 0.5, 0, 0)),)), "box [1000"),
        (Detections((Detection("a", 10**400, INSIDE),)), "confidence is 1000"),
        (Measurements((Measurement("v", 1, None),)), "unit is a NoneType, expected text"),
        (Mask(("a",), 4, 2, np.zeros(2)), "rle is a ndarray, expected a tuple of int"),
        (Mask(("a",), 4, 2, (np.int64(0), 8)), "rle holds a int64, expected int"),
        (Mask((None,), 4, 2, (0, 8)), "labels holds a NoneType, expected str"),
        (Mask((), 4.0, 2, (0, 8)), "size holds 4.0, expected int"),
    ],
)
def test_what_could_not_be_written_is_a_flaw_and_never_an_error(output: Output, flaw: str) -> None:
    assert find_flaw(output).startswith(flaw)


anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.just(10**400), st.floats(), st.text(), st.binary(),
    st.sampled_from([INSIDE, OUTSIDE, np.float64(1), np.zeros(2)]),
    st.builds(Detection, st.text(), st.floats(0, 1), st.just(INSIDE)),
)  # fmt: skip
lists = anything | st.lists(anything).map(tuple)


@given(
    st.one_of(
        st.builds(Detections, lists | st.lists(st.builds(Detection, anything, anything, anything, anything)).map(tuple), lists),
        st.builds(Text, st.lists(st.builds(TextBlock, anything, anything, anything, anything)).map(tuple)),
        st.builds(Classification, lists | st.lists(st.builds(ClassScore, anything, anything)).map(tuple)),
        st.builds(Keypoints, lists | st.lists(st.builds(Keypoint, anything, anything, anything, anything)).map(tuple)),
        st.builds(Mask, lists, anything, anything, lists),
        st.builds(Measurements, lists | st.lists(st.builds(Measurement, anything, anything, anything)).map(tuple)),
    )
)
def test_whatever_a_plugin_gives_has_a_flaw_or_comes_back_from_json(output: Output) -> None:
    if find_flaw(output) is None:
        assert type(msgspec.json.decode(msgspec.json.encode(output), type=Output)) is type(output)


@pytest.mark.parametrize("output", [None, {}, [], "detections", {"kind": "detections"}])
def test_what_is_no_output_at_all_is_told_with_what_may_be_given(output: object) -> None:
    flaw = find_flaw(output)
    assert flaw.startswith(f"process_frame gave {type(output).__name__}, expected one of Detections, ")
