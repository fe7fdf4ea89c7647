"""motion_mog2 on its own sample, against the places known from its drawing, and at its limits."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.sdk import Box, Size
from app.testing.harness import Harness

FOLDER = Path(__file__).parent
SIZE = Size(192, 144)


def sample(harness: Harness) -> list[np.ndarray]:
    return [frame.pixels for frame in harness.frames]


def test_it_keeps_what_a_plugin_promises(plugin_check: Callable[[], str]) -> None:
    plugin_check()


def test_what_moves_on_the_sample_is_boxed_where_it_really_is(harness: Harness) -> None:
    drawn = harness.beside("make_sample")
    for index, output in enumerate(harness.see(*drawn.draw())):
        boxes = [detection.box for detection in output.detections]
        square, disc = drawn.square_at(index), drawn.disc_at(index)
        if square is None or disc is None:
            assert boxes == []
            continue
        for place in (square, disc):
            assert any(box.iou(Box.from_pixels(*place, SIZE)) > 0.6 for box in boxes), index


def test_the_sample_is_what_its_script_draws(harness: Harness) -> None:
    for drawn, stored in zip(harness.beside("make_sample").draw(), sample(harness), strict=True):
        assert float(np.abs(drawn.astype(int) - stored.astype(int)).mean()) < 6


def test_another_number_of_threads_gives_the_same_rows(harness: Harness) -> None:
    with Harness(FOLDER, threads=2) as more:
        rows = more.see(*sample(harness))
    assert rows == harness.see(*sample(harness))


@pytest.mark.parametrize("shadows", [True, False])
@pytest.mark.parametrize("value", [0, 127, 255])
def test_the_first_frame_is_background_however_it_looks(value: int, shadows: bool, harness: Harness) -> None:
    (first,) = harness.see(np.full((144, 192, 3), value, np.uint8), shadows=shadows)
    assert first.detections == ()


@pytest.mark.parametrize("history", [20, 100_000])
def test_a_thing_that_comes_is_seen_whatever_the_history(history: int, harness: Harness) -> None:
    ground = np.full((144, 192, 3), 100, np.uint8)
    thing = ground.copy()
    thing[40:100, 40:100] = 255
    rows = harness.see(*[ground] * 10, thing, history=history)
    assert [len(row.detections) for row in rows] == [0] * 10 + [1]


def test_a_still_picture_never_moves(harness: Harness) -> None:
    assert all(row.detections == () for row in harness.see(*sample(harness)[:1] * 30))


def test_boxes_smaller_than_the_least_area_are_left_out(harness: Harness) -> None:
    least = 0.02
    boxes = [detection.box for row in harness.see(*sample(harness), min_area=least) for detection in row.detections]
    assert boxes
    assert min(box.w * box.h for box in boxes) >= least - 1e-6


def test_on_a_frame_with_too_many_boxes_the_largest_are_kept_in_order(harness: Harness) -> None:
    everything = harness.see(*sample(harness), min_area=0.0)
    few = harness.see(*sample(harness), min_area=0.0, max_boxes=2)
    assert max(len(row.detections) for row in everything) > 2
    assert [row.detections[:2] for row in everything] == [row.detections for row in few]


def test_shadows_are_left_out_unless_told_otherwise(harness: Harness) -> None:
    ground = np.full((144, 192, 3), 200, np.uint8)
    shaded = ground.copy()
    shaded[40:100, 40:100] = 140  # the ground at 70 % of its light
    pictures = [*[ground] * 30, shaded]
    assert harness.see(*pictures, shadows=True)[-1].detections == ()
    assert len(harness.see(*pictures, shadows=False)[-1].detections) == 1


def test_confidence_is_how_much_of_the_box_moves(harness: Harness) -> None:
    ground = np.full((144, 192, 3), 100, np.uint8)
    thing = ground.copy()
    thing[40:100, 40:100] = 255
    (found,) = harness.see(*[ground] * 30, thing)[-1].detections
    assert found.confidence == pytest.approx(1.0, abs=0.02)
    assert found.box.iou(Box.from_pixels(40, 40, 60, 60, SIZE)) > 0.95


def test_the_summary_of_no_frames_is_all_zero(harness: Harness) -> None:
    empty = {"frames": 0, "frames_with_motion": 0, "boxes_max": 0, "boxes_mean": 0.0}
    assert harness.sum_up([]).summary == empty
