"""motion_mog2 on its own sample, against the places known from its drawing, and at its limits."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from app.registry.load import load_plugin
from app.registry.manifest import check_options, read_manifest
from app.sdk import Box, Detections, DeviceRequest, Frame, FrameOutput, Plugin, PrepareContext, Size

FOLDER = Path(__file__).parent
SIZE = Size(192, 144)


def prepared(**options: Any) -> Plugin:
    metadata = read_manifest(FOLDER)
    plugin = load_plugin(FOLDER, metadata.entry)
    plugin.prepare(PrepareContext(check_options(metadata, "motion_mog2", options), FOLDER, DeviceRequest(None)))
    return plugin


def maker() -> Any:
    """Import make_sample.py beside this file, the way a worker would."""
    return importlib.import_module(".make_sample", type(prepared()).__module__.rpartition(".")[0])


def sample() -> list[np.ndarray]:
    with av.open(str(FOLDER / "sample.mp4")) as video:
        return [frame.to_ndarray(format="bgr24") for frame in video.decode(video=0)]


def watched(plugin: Plugin, pictures: list[np.ndarray]) -> list[FrameOutput]:
    rows = []
    for index, picture in enumerate(pictures):
        picture.setflags(write=False)
        rows.append(FrameOutput(index, None, plugin.process_frame(Frame(picture, index, None))))
    return rows


def detections(row: FrameOutput) -> tuple[Any, ...]:
    assert isinstance(row.output, Detections)
    return row.output.detections


@pytest.fixture(autouse=True)
def _threads_as_they_were() -> Iterator[None]:
    before = cv2.getNumThreads()
    yield
    cv2.setNumThreads(before)


def test_the_sample_gives_what_is_expected_of_it() -> None:
    expected = json.loads((FOLDER / "expected.json").read_text())
    plugin = prepared()
    rows = watched(plugin, sample())
    for wanted in expected["frames"]:
        found = sorted(detections(rows[wanted["frame_index"]]), key=lambda one: one.box)
        others = sorted(wanted["output"]["detections"], key=lambda other: other["box"])
        assert len(found) == len(others)
        for one, other in zip(found, others, strict=True):
            assert one.label == other["label"]
            assert one.confidence == pytest.approx(other["confidence"], abs=expected["tolerance"]["confidence"])
            assert list(one.box) == pytest.approx(other["box"], abs=expected["tolerance"]["box"])
    assert plugin.finalize(iter(rows)) == expected["summary"]


def test_what_moves_on_the_sample_is_boxed_where_it_really_is() -> None:
    drawn = maker()
    rows = watched(prepared(), drawn.draw())
    for row in rows:
        boxes = [detection.box for detection in detections(row)]
        square, disc = drawn.square_at(row.frame_index), drawn.disc_at(row.frame_index)
        if square is None or disc is None:
            assert boxes == []
            continue
        for place in (square, disc):
            assert any(box.iou(Box.from_pixels(*place, SIZE)) > 0.6 for box in boxes), row.frame_index


def test_the_sample_is_what_its_script_draws() -> None:
    for drawn, stored in zip(maker().draw(), sample(), strict=True):
        assert float(np.abs(drawn.astype(int) - stored.astype(int)).mean()) < 6


def test_a_second_run_and_another_number_of_threads_give_the_same_rows() -> None:
    runs = []
    for threads in (1, 2, 1):
        cv2.setNumThreads(threads)
        runs.append(watched(prepared(), sample()))
    assert runs[0] == runs[1] == runs[2]


@pytest.mark.parametrize("shadows", [True, False])
@pytest.mark.parametrize("value", [0, 127, 255])
def test_the_first_frame_is_background_however_it_looks(value: int, shadows: bool) -> None:
    first = watched(prepared(shadows=shadows), [np.full((144, 192, 3), value, np.uint8)])[0]
    assert detections(first) == ()


@pytest.mark.parametrize("history", [20, 100_000])
def test_a_thing_that_comes_is_seen_whatever_the_history(history: int) -> None:
    ground = np.full((144, 192, 3), 100, np.uint8)
    thing = ground.copy()
    thing[40:100, 40:100] = 255
    rows = watched(prepared(history=history), [*[ground] * 10, thing])
    assert [len(detections(row)) for row in rows] == [0] * 10 + [1]


def test_a_still_picture_never_moves() -> None:
    still = sample()[0]
    assert all(detections(row) == () for row in watched(prepared(), [still] * 30))


def test_preparing_anew_forgets_the_background() -> None:
    plugin = prepared(shadows=False)
    first = watched(plugin, sample())
    metadata = read_manifest(FOLDER)
    plugin.prepare(PrepareContext(metadata.defaults() | {"shadows": False}, FOLDER, DeviceRequest(None)))
    assert watched(plugin, sample()) == first


def test_boxes_smaller_than_the_least_area_are_left_out() -> None:
    least = 0.02
    rows = watched(prepared(min_area=least), sample())
    boxes = [detection.box for row in rows for detection in detections(row)]
    assert boxes
    assert min(box.w * box.h for box in boxes) >= least - 1e-6


def test_on_a_frame_with_too_many_boxes_the_largest_are_kept_in_order() -> None:
    everything, few = watched(prepared(min_area=0.0), sample()), watched(prepared(min_area=0.0, max_boxes=2), sample())
    assert max(len(detections(row)) for row in everything) > 2
    assert [detections(row)[:2] for row in everything] == [detections(row) for row in few]


def test_shadows_are_left_out_unless_told_otherwise() -> None:
    ground = np.full((144, 192, 3), 200, np.uint8)
    shaded = ground.copy()
    shaded[40:100, 40:100] = 140  # the ground at 70 % of its light
    pictures = [*[ground] * 30, shaded]
    assert detections(watched(prepared(shadows=True), pictures)[-1]) == ()
    assert len(detections(watched(prepared(shadows=False), pictures)[-1])) == 1


def test_confidence_is_how_much_of_the_box_moves() -> None:
    ground = np.full((144, 192, 3), 100, np.uint8)
    thing = ground.copy()
    thing[40:100, 40:100] = 255
    (found,) = detections(watched(prepared(), [*[ground] * 30, thing])[-1])
    assert found.confidence == pytest.approx(1.0, abs=0.02)
    assert found.box.iou(Box.from_pixels(40, 40, 60, 60, SIZE)) > 0.95


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (5, 5)])
def test_the_smallest_frames_are_taken(shape: tuple[int, int]) -> None:
    pictures = [np.full((*shape, 3), value, np.uint8) for value in (0, 255, 0)]
    assert len(watched(prepared(), pictures)) == 3


def test_the_summary_of_no_frames_is_all_zero() -> None:
    empty = {"frames": 0, "frames_with_motion": 0, "boxes_max": 0, "boxes_mean": 0.0}
    assert prepared().finalize(iter([])) == empty
