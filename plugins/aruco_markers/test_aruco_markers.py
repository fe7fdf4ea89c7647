"""aruco_markers by the harness, against the corners known from its drawing, and at its limits."""

import importlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from app.sdk import Detections, Frame
from app.testing.failure import CheckFailed
from app.testing.harness import Harness


def test_it_does_what_the_engine_relies_on(plugin_check: Callable[[], str]) -> None:
    plugin_check()


def maker(harness: Harness) -> Any:
    """Import make_sample.py beside this file, the way a worker would."""
    return importlib.import_module(".make_sample", type(harness.trial().witness.plugin).__module__.rpartition(".")[0])


def find(harness: Harness, picture: np.ndarray, **options: Any) -> Detections:
    output = harness.trial(**options).process(Frame(np.ascontiguousarray(picture), 0, None))
    assert isinstance(output, Detections), output
    return output


@pytest.mark.parametrize("refine", [True, False])
def test_the_corners_of_every_marker_of_the_sample_are_where_they_were_drawn(harness: Harness, refine: bool) -> None:
    drawn = maker(harness)
    (frame,) = harness.every_frame()
    assert float(np.abs(frame.pixels.astype(int) - drawn.draw().astype(int)).mean()) < 1  # versions of OpenCV round otherwise
    output = find(harness, frame.pixels, refine=refine)
    assert [detection.label for detection in output.detections] == [f"marker {number}" for number in sorted(drawn.MARKERS)]
    for shape in output.shapes:
        corners = np.array(shape.points) * drawn.SIZE
        assert np.abs(corners - drawn.MARKERS[int(shape.label.split()[1])]).max() < 2.0, shape.label


def test_only_the_numbers_asked_for_are_told_and_others_are_refused(harness: Harness) -> None:
    picture = maker(harness).draw()
    assert [d.label for d in find(harness, picture, only=["41", " 3 "]).detections] == ["marker 3", "marker 41"]
    with pytest.raises(CheckFailed, match="expected the numbers of markers"):
        harness.trial(only=["three"])


def test_every_dictionary_there_is_a_choice_for_finds_its_own_markers(harness: Harness) -> None:
    (choices,) = [option.choices for option in harness.metadata.options if option.name == "dictionary"]
    for name in choices:
        dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, f"DICT_{name.upper()}"))
        marker = cv2.copyMakeBorder(
            cv2.aruco.generateImageMarker(dictionary, 5, 120), 40, 40, 40, 40, cv2.BORDER_CONSTANT, value=255
        )
        picture = cv2.cvtColor(marker, cv2.COLOR_GRAY2BGR)
        assert [d.label for d in find(harness, picture, dictionary=name).detections] == ["marker 5"], name


def test_two_markers_with_one_number_are_two_and_nothing_is_found_where_there_is_none(harness: Harness) -> None:
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)
    one = cv2.copyMakeBorder(cv2.aruco.generateImageMarker(dictionary, 9, 60), 20, 20, 20, 20, cv2.BORDER_CONSTANT, value=255)
    pair = cv2.cvtColor(np.hstack((one, one)), cv2.COLOR_GRAY2BGR)
    assert [d.label for d in find(harness, pair).detections] == ["marker 9", "marker 9"]
    assert find(harness, np.full((100, 100, 3), 128, np.uint8)) == Detections(())
