"""people_hog on its own sample, at its limits, and with any number of OpenCV's threads."""

import importlib
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from app.registry.load import load_plugin
from app.registry.manifest import check_options, read_manifest
from app.sdk import Box, Detections, DeviceRequest, Frame, FrameOutput, Plugin, PrepareContext

FOLDER = Path(__file__).parent
REAL_VIDEO = FOLDER.parents[2] / "shared" / "data" / "video" / "vtest.avi"
PEOPLE = {"black": Box(0.12, 0.17, 0.17, 0.65), "red": Box(0.47, 0.25, 0.14, 0.54), "green": Box(0.78, 0.33, 0.11, 0.41)}


def prepared(**options: Any) -> Plugin:
    metadata = read_manifest(FOLDER)
    plugin = load_plugin(FOLDER, metadata.entry)
    plugin.prepare(PrepareContext(check_options(metadata, "people_hog", options), FOLDER, DeviceRequest(None)))
    return plugin


def sample() -> np.ndarray:
    pixels = cv2.imread(str(FOLDER / "sample.png"))
    pixels.setflags(write=False)
    return pixels


def found(plugin: Plugin, pixels: np.ndarray) -> Detections:
    output = plugin.process_frame(Frame(pixels, 0, 0.0))
    assert isinstance(output, Detections)
    return output


def beside(name: str) -> Any:
    """Import a file that lies beside this one, the way a worker does."""
    return importlib.import_module(f".{name}", type(prepared()).__module__.rpartition(".")[0])


@pytest.fixture(autouse=True)
def _threads_as_they_were() -> Iterator[None]:
    before = cv2.getNumThreads()
    yield
    cv2.setNumThreads(before)


def test_the_sample_gives_what_is_expected_of_it() -> None:
    expected = json.loads((FOLDER / "expected.json").read_text())
    plugin = prepared()
    output = found(plugin, sample())
    (wanted,) = expected["frames"]
    assert len(output.detections) == len(wanted["output"]["detections"])
    for one, other in zip(output.detections, wanted["output"]["detections"], strict=True):
        assert one.label == other["label"]
        assert one.confidence == pytest.approx(other["confidence"], abs=expected["tolerance"]["confidence"])
        assert list(one.box) == pytest.approx(other["box"], abs=expected["tolerance"]["box"])
    assert plugin.finalize(iter([FrameOutput(0, None, output)])) == expected["summary"]


def test_each_person_drawn_on_the_sample_is_found_once() -> None:
    boxes = [detection.box for detection in found(prepared(), sample()).detections]
    for colour, person in PEOPLE.items():
        assert sum(box.iou(person) > 0.4 for box in boxes) == 1, colour


def test_the_sample_is_what_its_script_draws() -> None:
    maker = beside("make_sample")
    assert np.array_equal(maker.draw(), sample())


def test_the_number_of_threads_changes_nothing_on_the_sample() -> None:
    rows = []
    for threads in (1, 2):
        cv2.setNumThreads(threads)
        rows.append(found(prepared(hit_threshold=-3.0, min_confidence=0.0), sample()))
    assert rows[0] == rows[1]
    assert len(rows[0].detections) > 3


@pytest.mark.shared
@pytest.mark.skipif(not REAL_VIDEO.exists(), reason="the real videos are not here")
def test_the_number_of_threads_changes_nothing_on_real_frames() -> None:
    with av.open(str(REAL_VIDEO)) as video:
        pixels = [frame.to_ndarray(format="bgr24") for frame in video.decode(video=0) if frame.pts % 80 == 0]
    rows = []
    for threads in (1, 2):
        cv2.setNumThreads(threads)
        plugin = prepared()
        rows.append([found(plugin, picture) for picture in pixels[:8]])
    assert rows[0] == rows[1]
    assert sum(len(row.detections) for row in rows[0]) >= len(rows[0])


def test_a_frame_gives_the_same_whatever_came_before_it() -> None:
    plugin = prepared()
    first = found(plugin, sample())
    assert found(plugin, np.zeros((200, 300, 3), np.uint8)) == Detections(())
    assert found(plugin, sample()) == first


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1), (127, 63), (40, 40)])
def test_a_frame_too_small_or_thin_to_hold_a_person_gives_an_empty_list(shape: tuple[int, int]) -> None:
    assert found(prepared(), np.full((*shape, 3), 90, np.uint8)) == Detections(())


def test_an_even_picture_gives_an_empty_list() -> None:
    assert found(prepared(), np.full((360, 480, 3), 90, np.uint8)) == Detections(())


@pytest.mark.parametrize("smallest", [0.2, 96 / 360], ids=["resized", "searched as it is"])
def test_rows_that_are_strided_give_the_same_as_rows_that_are_not(smallest: float) -> None:
    wide = np.zeros((360, 512, 3), np.uint8)
    wide[:, :480] = sample()
    strided = wide[:, :480]
    strided.setflags(write=False)
    assert not strided.flags.c_contiguous
    plugin = prepared(smallest_person=smallest)
    assert found(plugin, strided) == found(plugin, sample()) != Detections(())


def test_a_larger_frame_of_the_same_scene_gives_the_same_places() -> None:
    large = cv2.resize(sample(), None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    boxes = [detection.box for detection in found(prepared(), large).detections]
    for colour, person in PEOPLE.items():
        assert any(box.iou(person) > 0.4 for box in boxes), colour


def test_only_people_as_sure_as_asked_for_are_told() -> None:
    everybody = found(prepared(min_confidence=0.0), sample()).detections
    border = sorted(detection.confidence for detection in everybody)[-2]
    sure = found(prepared(min_confidence=border), sample()).detections
    assert [detection.confidence for detection in sure] == [c.confidence for c in everybody if c.confidence >= border]
    assert len(sure) == 2


def test_people_smaller_than_asked_for_are_not_looked_for() -> None:
    boxes = [detection.box for detection in found(prepared(smallest_person=0.6), sample()).detections]
    assert any(box.iou(PEOPLE["black"]) > 0.4 for box in boxes)
    assert not any(box.iou(PEOPLE["green"]) > 0.4 for box in boxes)


def test_confidence_rises_with_the_weight_and_stays_within_0_and_1() -> None:
    confidence_of = beside("plugin").confidence_of
    values = [confidence_of(weight / 10) for weight in range(-20, 60)]
    assert all(one < other for one, other in pairwise(values))
    assert 0 < values[0] < values[-1] < 1
    assert confidence_of(0.0) == 0.5


def test_overlapping_hits_give_the_strongest_whatever_their_order() -> None:
    module = beside("plugin")
    weak, strong, apart = module.Hit(1.0, 0, 0, 10, 20), module.Hit(2.0, 2, 2, 10, 20), module.Hit(0.5, 50, 0, 10, 20)
    assert module.strongest([weak, strong, apart]) == module.strongest([apart, weak, strong]) == [strong, apart]


def test_hits_of_equal_weight_are_ordered_by_place() -> None:
    module = beside("plugin")
    one, other = module.Hit(1.0, 0, 0, 10, 20), module.Hit(1.0, 1, 0, 10, 20)
    assert module.strongest([other, one]) == [one]


def test_the_summary_of_no_frames_is_all_zero() -> None:
    assert prepared().finalize(iter([])) == {"frames": 0, "frames_with_people": 0, "people_max": 0, "people_mean": 0.0}
