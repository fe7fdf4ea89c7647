"""Boxes as fractions of the frame: made from pixels, turned back, compared, and told from ones outside it."""

from math import inf, nan

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.geometry import Box, Point, Shape, ShapeKind, Size

SIZE = Size(640, 480)
places = st.integers(-300, 1000)
lengths = st.integers(1, 800)
fractions = st.floats(0, 1)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x, y = draw(fractions), draw(fractions)
    return Box(x, y, draw(st.floats(0, 1 - x)), draw(st.floats(0, 1 - y)))


def test_pixels_become_fractions_of_the_frame() -> None:
    assert Box.from_pixels(64, 48, 320, 240, SIZE) == (0.1, 0.1, 0.5, 0.5)


def test_what_lies_outside_the_frame_is_cut_off() -> None:
    assert Box.from_pixels(-64, -48, 128, 96, SIZE) == (0.0, 0.0, 0.1, 0.1)
    assert Box.from_pixels(576, 432, 500, 500, SIZE) == (0.9, 0.9, 0.1, 0.1)
    assert Box.from_pixels(700, 500, 50, 50, SIZE) == (1.0, 1.0, 0.0, 0.0)


@given(places, places, lengths, lengths)
def test_a_box_from_pixels_always_lies_inside(x: int, y: int, w: int, h: int) -> None:
    assert Box.from_pixels(x, y, w, h, SIZE).inside()


@given(st.integers(0, 639), st.integers(0, 479), lengths, lengths)
def test_whole_pixels_come_back_as_they_were(x: int, y: int, w: int, h: int) -> None:
    w, h = min(w, 640 - x), min(h, 480 - y)
    assert Box.from_pixels(x, y, w, h, SIZE).to_pixels(SIZE) == (x, y, w, h)


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        (Box(0, 0, 0.5, 0.5), Box(0, 0, 0.5, 0.5), 1.0),
        (Box(0, 0, 0.5, 0.5), Box(0.25, 0, 0.5, 0.5), 1 / 3),
        (Box(0, 0, 0.4, 0.4), Box(0.1, 0.1, 0.2, 0.2), 0.25),
        (Box(0, 0, 0.5, 0.5), Box(0.5, 0, 0.5, 0.5), 0.0),
        (Box(0, 0, 0.1, 0.1), Box(0.5, 0.5, 0.1, 0.1), 0.0),
        (Box(0.2, 0.2, 0, 0), Box(0.2, 0.2, 0, 0), 0.0),
    ],
)
def test_overlap_is_intersection_over_union(one: Box, other: Box, shared: float) -> None:
    assert one.iou(other) == pytest.approx(shared)


@given(boxes(), boxes())
def test_overlap_lies_between_0_and_1_and_goes_both_ways(one: Box, other: Box) -> None:
    assert 0 <= one.iou(other) <= 1 + 1e-9
    assert one.iou(other) == pytest.approx(other.iou(one))


@given(boxes())
def test_a_box_within_the_frame_is_inside(box: Box) -> None:
    assert box.inside()


@pytest.mark.parametrize(
    "box",
    [
        Box(-0.01, 0, 0.1, 0.1), Box(0, -0.01, 0.1, 0.1), Box(0.95, 0, 0.1, 0.1), Box(0, 0.95, 0.1, 0.1),
        Box(0.5, 0.5, -0.1, 0.1), Box(0.5, 0.5, 0.1, -0.1), Box(nan, 0, 0.1, 0.1), Box(0, 0, inf, 0.1), Box(0, -inf, 0.1, 0.1),
    ],
)  # fmt: skip
def test_a_box_that_is_not_within_the_frame_is_told(box: Box) -> None:
    assert not box.inside()


def test_what_rounding_leaves_behind_is_forgiven() -> None:
    assert Box(-1e-9, 0.3, 1.0 + 2e-9, 0.7).inside()


def test_boxes_points_and_shapes_are_lists_in_json() -> None:
    shape = Shape(ShapeKind.LINE, (Point(0.0, 0.5), Point(1.0, 0.5)), "gate")
    assert msgspec.json.encode(Box(0.1, 0.2, 0.3, 0.4)) == b"[0.1,0.2,0.3,0.4]"
    assert msgspec.json.encode(shape) == b'{"kind":"line","points":[[0.0,0.5],[1.0,0.5]],"label":"gate"}'
    assert msgspec.json.decode(msgspec.json.encode(shape), type=Shape) == shape
