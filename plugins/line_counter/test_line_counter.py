"""line_counter by the harness, against who really crosses on its sample, and at its limits."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from app.sdk import Box, Detection, Detections, Frame, Point
from app.testing.failure import CheckFailed
from app.testing.harness import Harness

PIXELS = np.zeros((480, 640, 3), np.uint8)
ACROSS = "door 0.2 0.5 0.8 0.5"


def test_it_does_what_the_engine_relies_on(plugin_check: Callable[[], str]) -> None:
    plugin_check()


def crossings(harness: Harness, way: Sequence[tuple[float, float] | None], **options: Any) -> list[str]:
    """Give what is told of somebody whose feet go a way, as `INDEX LABEL`."""
    trial, told = harness.trial(**{"lines": [ACROSS], **options}), []
    for index, feet in enumerate(way):
        found = () if feet is None else (Detection("person", 0.9, Box(feet[0] - 0.05, feet[1] - 0.2, 0.1, 0.2), 7),)
        output = trial.process(Frame(PIXELS, index, None, {"tracker": Detections(found)}))
        assert isinstance(output, Detections), output
        told += [f"{index} {detection.label} #{detection.track_id}" for detection in output.detections]
    return told


DOWN = [(0.5, y / 10) for y in range(2, 10)]


def test_everybody_of_the_sample_is_counted_who_crosses_and_nobody_else(harness: Harness) -> None:
    plugin = harness.trial().witness.plugin
    sample = importlib.import_module(".make_sample", type(plugin).__module__.rpartition(".")[0])
    rows = harness.run(harness.every_frame())
    told = {
        d.track_id: (frame.index, d.label) for frame, out in zip(rows.frames, rows.given, strict=True) for d in out.detections
    }
    assert {number: label for number, (_, label) in told.items()} == {
        1: "person door in",
        2: "person door out",
        4: "person side in",
    }
    for number, (index, label) in told.items():
        axis, border = (1, 0.5) if "door" in label else (0, 0.6)
        before, after = (sample.feet(number, at)[axis] - border for at in (index - 2, index))
        assert (before > 0) != (after > 0)


def test_the_way_over_a_line_counts_once_and_in_its_direction(harness: Harness) -> None:
    assert crossings(harness, DOWN) == ["4 person door in #7"]
    assert crossings(harness, DOWN[::-1]) == ["5 person door out #7"]
    assert crossings(harness, DOWN, lines=["door 0.8 0.5 0.2 0.5"]) == ["4 person door out #7"]
    assert crossings(harness, [*DOWN, *DOWN[::-1]]) == ["4 person door in #7", "13 person door out #7"]


def test_the_way_past_the_end_of_a_line_does_not_count_and_neither_does_the_way_back(harness: Harness) -> None:
    round_it = [(0.1, 0.3), (0.1, 0.7), (0.5, 0.7)]
    assert crossings(harness, round_it) == []
    assert crossings(harness, [*round_it, (0.5, 0.3)]) == ["3 person door out #7"]


def test_one_who_steps_to_and_fro_on_the_line_is_not_counted(harness: Harness) -> None:
    jitter = [(0.5, 0.5 + (0.008 if index % 2 else -0.008)) for index in range(20)]
    assert crossings(harness, [(0.5, 0.4), *jitter, (0.5, 0.4)]) == []
    assert crossings(harness, [(0.5, 0.4), *jitter, (0.5, 0.6)]) == ["21 person door in #7"]
    assert len(crossings(harness, jitter, margin=0.001)) == 19


def test_one_who_is_out_of_sight_on_the_line_is_counted_when_seen_again(harness: Harness) -> None:
    assert crossings(harness, [(0.5, 0.4), None, None, (0.5, 0.6)]) == ["3 person door in #7"]


def test_the_centre_may_be_what_crosses(harness: Harness) -> None:
    assert crossings(harness, DOWN, anchor="centre") == ["5 person door in #7"]


def test_only_the_labels_asked_for_are_counted_and_only_tracks(harness: Harness) -> None:
    assert crossings(harness, DOWN, labels=["dog"]) == []
    trial = harness.trial(lines=[ACROSS])
    for index, (x, y) in enumerate(DOWN):
        found = Detections((Detection("person", 0.9, Box(x - 0.05, y - 0.2, 0.1, 0.2)),))
        output = trial.process(Frame(PIXELS, index, None, {"tracker": found}))
        assert isinstance(output, Detections)
        assert output.detections == ()


def test_the_lines_are_drawn_with_their_counts_and_an_arrow_to_where_in_is(harness: Harness) -> None:
    trial, labels = harness.trial(lines=[ACROSS]), []
    for index, (x, y) in enumerate(DOWN):
        found = Detections((Detection("person", 0.9, Box(x - 0.05, y - 0.2, 0.1, 0.2), 1),))
        output = trial.process(Frame(PIXELS, index, None, {"tracker": found}))
        assert isinstance(output, Detections)
        line, arrow = output.shapes
        labels.append(line.label)
        assert line.points == (Point(0.2, 0.5), Point(0.8, 0.5))
        assert arrow.points[1] == Point(0.5, 0.53)
    assert labels == ["door: 0 in, 0 out"] * 4 + ["door: 1 in, 0 out"] * 4


@pytest.mark.parametrize(
    "lines",
    [["0.1 0.2 0.3 0.4"], ["a 0.1 0.2 0.3"], ["a 0 0 0 0"], ["a 0 0 2 0"], ["a b 0 0 1 1"], ["a 0 0 1 1", "a 0 0 0 1"], [""]],
)
def test_a_line_that_cannot_be_read_is_told_before_the_first_frame(harness: Harness, lines: list[str]) -> None:
    with pytest.raises(CheckFailed, match=r"expected NAME X1 Y1 X2 Y2|two lines have one name"):
        harness.trial(lines=lines)


def test_what_is_remembered_of_tracks_that_are_gone_is_dropped(harness: Harness) -> None:
    trial = harness.trial(lines=[ACROSS])
    for number in range(3000):
        found = Detections((Detection("x", 0.9, Box(0.4, 0.1, 0.1, 0.2), number),))
        trial.process(Frame(PIXELS, number * 10, None, {"tracker": found}))
    assert len(trial.witness.plugin._was) < 1100
