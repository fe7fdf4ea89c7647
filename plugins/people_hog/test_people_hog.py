"""people_hog on its own sample, at its limits, and with any number of OpenCV's threads."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from app.sdk import Box, Detections
from app.testing.harness import Harness

FOLDER = Path(__file__).parent
REAL_VIDEO = FOLDER.parents[2] / "shared" / "data" / "video" / "vtest.avi"
PEOPLE = {"black": Box(0.12, 0.17, 0.17, 0.65), "red": Box(0.47, 0.25, 0.14, 0.54), "green": Box(0.78, 0.33, 0.11, 0.41)}


def sample() -> np.ndarray:
    return cv2.imread(str(FOLDER / "sample.png"))


def found(harness: Harness, pixels: np.ndarray, **options: Any) -> Detections:
    (output,) = harness.see(pixels, **options)
    return output


def test_it_keeps_what_a_plugin_promises(plugin_check: Callable[[], str]) -> None:
    plugin_check()


def test_each_person_drawn_on_the_sample_is_found_once(harness: Harness) -> None:
    boxes = [detection.box for detection in found(harness, sample()).detections]
    for colour, person in PEOPLE.items():
        assert sum(box.iou(person) > 0.4 for box in boxes) == 1, colour


def test_the_sample_is_what_its_script_draws(harness: Harness) -> None:
    maker = harness.beside("make_sample")
    assert np.array_equal(maker.draw(), sample())


def test_the_number_of_threads_changes_nothing_on_the_sample(harness: Harness) -> None:
    weak = {"hit_threshold": -3.0, "min_confidence": 0.0}
    with Harness(FOLDER, threads=2) as more:
        rows = found(more, sample(), **weak)
    assert rows == found(harness, sample(), **weak)
    assert len(rows.detections) > 3


@pytest.mark.shared
@pytest.mark.skipif(not REAL_VIDEO.exists(), reason="the real videos are not here")
def test_the_number_of_threads_changes_nothing_on_real_frames(harness: Harness) -> None:
    with av.open(str(REAL_VIDEO)) as video:
        pixels = [frame.to_ndarray(format="bgr24") for frame in video.decode(video=0) if frame.pts % 80 == 0]
    with Harness(FOLDER, threads=2) as more:
        rows = more.see(*pixels[:8])
    assert rows == harness.see(*pixels[:8])
    assert sum(len(row.detections) for row in rows) >= len(rows)


@pytest.mark.parametrize("shape", [(1, 4000), (4000, 1), (127, 63), (40, 40)])
def test_a_frame_too_small_or_thin_to_hold_a_person_gives_an_empty_list(shape: tuple[int, int], harness: Harness) -> None:
    assert found(harness, np.full((*shape, 3), 90, np.uint8)) == Detections(())


def test_an_even_picture_gives_an_empty_list(harness: Harness) -> None:
    assert found(harness, np.full((360, 480, 3), 90, np.uint8)) == Detections(())


def test_a_larger_frame_of_the_same_scene_gives_the_same_places(harness: Harness) -> None:
    large = cv2.resize(sample(), None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    boxes = [detection.box for detection in found(harness, large).detections]
    for colour, person in PEOPLE.items():
        assert any(box.iou(person) > 0.4 for box in boxes), colour


def test_only_people_as_sure_as_asked_for_are_told(harness: Harness) -> None:
    everybody = found(harness, sample(), min_confidence=0.0).detections
    border = sorted(detection.confidence for detection in everybody)[-2]
    sure = found(harness, sample(), min_confidence=border).detections
    assert [detection.confidence for detection in sure] == [c.confidence for c in everybody if c.confidence >= border]
    assert len(sure) == 2


def test_people_smaller_than_asked_for_are_not_looked_for(harness: Harness) -> None:
    boxes = [detection.box for detection in found(harness, sample(), smallest_person=0.6).detections]
    assert any(box.iou(PEOPLE["black"]) > 0.4 for box in boxes)
    assert not any(box.iou(PEOPLE["green"]) > 0.4 for box in boxes)


def test_confidence_rises_with_the_weight_and_stays_within_0_and_1(harness: Harness) -> None:
    confidence_of = harness.beside("plugin").confidence_of
    values = [confidence_of(weight / 10) for weight in range(-20, 60)]
    assert all(one < other for one, other in pairwise(values))
    assert 0 < values[0] < values[-1] < 1
    assert confidence_of(0.0) == 0.5


def test_overlapping_hits_give_the_strongest_whatever_their_order(harness: Harness) -> None:
    module = harness.beside("plugin")
    weak, strong, apart = module.Hit(1.0, 0, 0, 10, 20), module.Hit(2.0, 2, 2, 10, 20), module.Hit(0.5, 50, 0, 10, 20)
    assert module.strongest([weak, strong, apart]) == module.strongest([apart, weak, strong]) == [strong, apart]


def test_hits_of_equal_weight_are_ordered_by_place(harness: Harness) -> None:
    module = harness.beside("plugin")
    one, other = module.Hit(1.0, 0, 0, 10, 20), module.Hit(1.0, 1, 0, 10, 20)
    assert module.strongest([other, one]) == [one]


def test_the_summary_of_no_frames_is_all_zero(harness: Harness) -> None:
    assert harness.sum_up([]).summary == {"frames": 0, "frames_with_people": 0, "people_max": 0, "people_mean": 0.0}
