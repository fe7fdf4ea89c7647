"""shapes_dnn on its own sample, on clips it was not trained on, and on frames of any form."""

import hashlib
import importlib.util
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np
import pytest

from app.registry.load import load_plugin
from app.registry.manifest import read_manifest
from app.sdk import Attach, Box, Detection, Detections, DeviceRequest, Frame, Plugin, PrepareContext, Target
from app.testing.harness import Harness
from plugins.shapes_dnn import plugin as module
from samples.make_shapes import COLOURS, KINDS, Truth, scenes

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
HELD_OUT = range(1, 9)  # seeds of clips; training begins at 1,000,000
FOUND = 0.5  # a shape is found when a box with its label overlaps the true one by this much
ENGINES = [name for name in ("ENGINE_CLASSIC", "ENGINE_NEW") if hasattr(cv2.dnn, name)]


class OneEngine:
    """A network in one of OpenCV's engines, on the CPU."""

    input_names = ("picture",)
    output_names = ("heat", "box")

    def __init__(self, model: Path, engine: int) -> None:
        self._net = cv2.dnn.readNetFromONNX(str(model), engine)

    def forward(self, blob: np.ndarray) -> dict[str, np.ndarray]:
        self._net.setInput(blob)
        return dict(zip(self.output_names, self._net.forward(list(self.output_names)), strict=True))


def prepared(attach: Attach) -> Plugin:
    """The plugin with a network of the test's own."""
    metadata = read_manifest(FOLDER)
    plugin = load_plugin(FOLDER, metadata.entry)
    plugin.prepare(PrepareContext(metadata.defaults(), FOLDER, DeviceRequest(Target.CPU), attach=attach))
    return plugin


def sample() -> np.ndarray:
    return cv2.imread(str(FOLDER / "sample.png"))


def found(harness: Harness, pixels: np.ndarray, **options: Any) -> tuple[Detection, ...]:
    (output,) = harness.see(pixels, **options)
    return output.detections


class Score(NamedTuple):
    """How well shapes were found: share found, share of what was told that is true, mean overlap of those found."""

    recall: float
    precision: float
    iou: float


def score(harness: Harness, clip: Iterable[tuple[np.ndarray, list[Truth]]]) -> Score:
    overlaps: list[float] = []
    there = told = 0
    pictures, truths_of = zip(*clip, strict=True)
    for output, truths in zip(harness.see(*pictures), truths_of, strict=True):
        left = list(output.detections)
        there, told = there + len(truths), told + len(left)
        for truth in truths:
            same = [detection for detection in left if detection.label == truth.label]
            best = max(same, key=lambda detection: detection.box.iou(Box(*truth.box)), default=None)
            if best is not None and best.box.iou(Box(*truth.box)) >= FOUND:
                overlaps.append(best.box.iou(Box(*truth.box)))
                left.remove(best)
    return Score(len(overlaps) / there, len(overlaps) / told, float(np.mean(overlaps)))


def held_out(**arguments: int) -> Iterator[tuple[np.ndarray, list[Truth]]]:
    """Frames a second apart, so that each shows something else."""
    for seed in HELD_OUT:
        yield from scenes(seed, frames=5, fps=1, **arguments)


def test_it_keeps_what_a_plugin_promises(plugin_check: Callable[[], str]) -> None:
    plugin_check()


def test_every_shape_on_the_sample_is_found_where_its_script_drew_it(harness: Harness) -> None:
    drawn, truths = importlib.import_module("plugins.shapes_dnn.make_sample").draw()
    assert np.array_equal(drawn, sample())
    assert all(np.array(score(harness, [(sample(), truths)])) >= Score(recall=1.0, precision=1.0, iou=0.8))


@pytest.mark.parametrize(("width", "height"), [(480, 270), (270, 480)], ids=["wide", "upright"])
def test_shapes_of_clips_it_was_not_trained_on_are_found(width: int, height: int, harness: Harness) -> None:
    found_there = score(harness, held_out(width=width, height=height))
    assert all(np.array(found_there) >= Score(recall=0.95, precision=0.9, iou=0.8))


def test_a_picture_turned_upright_shows_the_same_shapes_turned(harness: Harness) -> None:
    wide, upright = harness.see(sample(), cv2.rotate(sample(), cv2.ROTATE_90_CLOCKWISE))
    assert len(wide.detections) == 9
    for before, turned in zip(wide.detections, upright.detections, strict=True):
        x, y, w, h = before.box
        assert (turned.label, turned.confidence) == (before.label, before.confidence)
        assert list(turned.box) == pytest.approx([1 - y - h, x, h, w], abs=1e-5)


def test_shapes_of_the_demo_clip_are_found(harness: Harness) -> None:
    with av.open(str(ROOT / "samples" / "shapes.mp4")) as video:
        pictures = [frame.to_ndarray(format="bgr24") for frame in video.decode(video=0)]
    truths = json.loads((ROOT / "samples" / "shapes.truth.json").read_text())["frames"]
    clip = [
        (pixels, [Truth(o["label"], tuple(o["box"]), o["visible"]) for o in truth["objects"]])
        for pixels, truth in zip(pictures, truths, strict=True)
    ][::5]
    assert all(np.array(score(harness, clip)) >= Score(recall=0.95, precision=0.9, iou=0.8))


@pytest.mark.parametrize(("width", "height"), [(320, 240), (240, 320), (270, 270), (640, 360)])
def test_frames_of_another_form_lose_little(width: int, height: int, harness: Harness) -> None:
    recall, _, iou = score(harness, held_out(width=width, height=height))
    assert recall >= 0.9
    assert iou >= 0.8


@pytest.mark.skipif(len(ENGINES) < 2, reason="this OpenCV has one engine for networks")
def test_both_engines_of_opencv_find_the_same() -> None:
    rows = []
    for engine in ENGINES:
        number = getattr(cv2.dnn, engine)
        output = prepared(lambda model, number=number, **_: OneEngine(model, number)).process_frame(Frame(sample(), 0, 0.0))
        assert isinstance(output, Detections)
        rows.append(output.detections)
    assert [detection.label for detection in rows[0]] == [detection.label for detection in rows[1]]
    for one, other in zip(*rows, strict=True):
        assert one.confidence == pytest.approx(other.confidence, abs=1e-3)
        assert list(one.box) == pytest.approx(list(other.box), abs=1e-3)


@pytest.mark.skipif(not importlib.util.find_spec("onnxruntime"), reason="onnxruntime is not installed")
def test_onnx_runtime_finds_the_same(harness: Harness) -> None:
    rows = [found(harness, sample(), runtime=runtime) for runtime in ("opencv", "onnxruntime")]
    assert [detection.label for detection in rows[0]] == [detection.label for detection in rows[1]]
    for one, other in zip(*rows, strict=True):
        assert list(one.box) == pytest.approx(list(other.box), abs=1e-3)


def test_the_number_of_threads_changes_next_to_nothing(harness: Harness) -> None:
    with Harness(FOLDER, threads=2) as more:
        rows = found(more, sample()), found(harness, sample())
    assert [detection.label for detection in rows[0]] == [detection.label for detection in rows[1]]
    for one, other in zip(*rows, strict=True):
        assert list(one.box) == pytest.approx(list(other.box), abs=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1), (40, 40), (2000, 30)])
def test_a_frame_of_any_form_gives_boxes_within_it(shape: tuple[int, int], harness: Harness) -> None:
    pictures = [np.full((*shape, 3), colour, np.uint8) for colour in (*COLOURS.values(), (90, 90, 90))]
    for output in harness.see(*pictures, min_confidence=0.05):
        assert all(detection.box.inside() for detection in output.detections)


def test_an_even_picture_gives_an_empty_list(harness: Harness) -> None:
    assert found(harness, np.full((270, 480, 3), 105, np.uint8)) == ()


def test_only_shapes_as_sure_as_asked_for_are_told(harness: Harness) -> None:
    every = found(harness, sample(), min_confidence=0.05)
    border = sorted(detection.confidence for detection in every)[-3]
    sure = found(harness, sample(), min_confidence=border)
    assert [detection.confidence for detection in sure] == [d.confidence for d in every if d.confidence >= border]
    assert 0 < len(sure) < len(every)


def test_of_boxes_with_one_label_the_surest_stays_and_other_labels_are_left_alone() -> None:
    sure, weak = module.Hit(3, 0.9, (10, 10, 40, 40)), module.Hit(3, 0.5, (12, 11, 42, 41))
    other, apart = module.Hit(6, 0.6, (10, 10, 40, 40)), module.Hit(3, 0.7, (100, 10, 130, 40))
    assert module.one_each([sure, apart, other, weak], 0.5) == [sure, apart, other]
    assert module.one_each([sure, apart, other, weak], 1.0) == [sure, apart, other, weak]
    assert module.one_each([], 0.5) == []


def test_of_two_kinds_of_one_colour_in_one_place_the_surer_stays() -> None:
    circle, square = module.Hit(0, 0.9, (10, 10, 40, 40)), module.Hit(1, 0.5, (10, 10, 40, 41))
    beside = module.Hit(2, 0.4, (22, 10, 52, 40))
    assert module.one_each([circle, square, beside], 0.5) == [circle, beside]


def test_the_labels_are_those_of_the_generator() -> None:
    assert tuple(COLOURS) == module.COLOURS
    assert KINDS == module.KINDS


def test_the_summary_counts_frames_by_label(harness: Harness) -> None:
    box = Box(0.1, 0.1, 0.2, 0.2)
    red, blue = Detection("red circle", 0.9, box), Detection("blue square", 0.8, box)
    frames = (Frame(sample(), index, None) for index in range(3))
    rows = zip(frames, map(Detections, [(red, blue), (red, red), ()]), strict=True)
    assert harness.sum_up(rows).summary == {
        "frames": 3, "shapes_max": 2, "shapes_mean": 1.333, "frames_by_label": {"red circle": 2, "blue square": 1},
    }  # fmt: skip


def test_the_summary_of_no_frames_is_all_zero(harness: Harness) -> None:
    assert harness.sum_up([]).summary == {"frames": 0, "shapes_max": 0, "shapes_mean": 0.0, "frames_by_label": {}}


def test_the_model_is_small_and_the_one_whose_hash_is_recorded() -> None:
    model = (FOLDER / "shapes.onnx").read_bytes()
    assert (FOLDER / "shapes.onnx.sha256").read_text() == f"{hashlib.sha256(model).hexdigest()}  shapes.onnx\n"
    assert len(model) < 500_000
