"""onnx_classifier on a tiny model, with its options, and on digits with the real model."""

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from app.sdk import Classification, Frame, FrameOutput, Plugin
from tests.networks import SHARED_MODELS, prepared
from tests.tiny_onnx import TinyModel

FOLDER = Path(__file__).parent
REAL = SHARED_MODELS / "mnist.onnx"
TINY: dict[str, Any] = {"model": "sample.onnx", "labels": "left,right,top"}


def tiny_model() -> bytes:
    """Three classes on 28 × 28 grey pixels: how bright the left half, the right half and the top quarter are (0 to 4)."""
    model = TinyModel((1, 28, 28))
    weight = np.zeros((3, 1, 28, 28))
    weight[0, 0, :, :14], weight[1, 0, :, 14:], weight[2, 0, :7, :] = 1, 1, 1
    weight *= 4 / 255 / weight.sum(axis=(1, 2, 3), keepdims=True)
    flat = model.reshaped(model.conv("input", weight, [0.0, 0.0, 0.0]), [1, 3])
    model.add("Identity", flat, output="scores")
    return model.written({"scores": (1, 3)})


def beside(name: str) -> ModuleType:
    """Import a file that lies beside this one, the way a worker does."""
    plugin = prepared(FOLDER, **TINY)
    return importlib.import_module(f".{name}", type(plugin).__module__.rpartition(".")[0])


def sample() -> np.ndarray:
    pixels = cv2.imread(str(FOLDER / "sample.png"))
    pixels.setflags(write=False)
    return pixels


def classified(plugin: Plugin, pixels: np.ndarray) -> Classification:
    output = plugin.process_frame(Frame(pixels, 0, 0.0))
    assert isinstance(output, Classification)
    return output


def half(left: int, right: int, shape: tuple[int, int] = (28, 28)) -> np.ndarray:
    """A picture whose halves are even."""
    pixels = np.zeros((*shape, 3), np.uint8)
    pixels[:, : shape[1] // 2], pixels[:, shape[1] // 2 :] = left, right
    return pixels


def test_the_sample_gives_what_is_expected_of_it() -> None:
    expected = json.loads((FOLDER / "expected.json").read_text())
    plugin = prepared(FOLDER, **expected["options"])
    output = classified(plugin, sample())
    (wanted,) = expected["frames"]
    assert [found.label for found in output.classes] == [found["label"] for found in wanted["output"]["classes"]]
    assert [found.confidence for found in output.classes] == pytest.approx(
        [found["confidence"] for found in wanted["output"]["classes"]], abs=expected["tolerance"]["confidence"]
    )
    assert plugin.finalize(iter([FrameOutput(0, None, output)])) == expected["summary"]


def test_the_sample_and_its_model_are_what_their_scripts_make() -> None:
    assert np.array_equal(beside("make_sample").draw(), sample())
    assert (FOLDER / "sample.onnx").read_bytes() == tiny_model()


def test_the_surest_class_comes_first_and_all_confidences_make_one() -> None:
    output = classified(prepared(FOLDER, **TINY), half(0, 255))
    assert [found.label for found in output.classes] == ["right", "top", "left"]
    weights = np.exp([4.0, 2.0, 0.0])
    assert [found.confidence for found in output.classes] == pytest.approx((weights / weights.sum()).tolist(), abs=1e-3)


def test_only_so_many_and_only_so_sure_classes_are_told() -> None:
    assert len(classified(prepared(FOLDER, **TINY, top=2), half(0, 255)).classes) == 2
    assert [found.label for found in classified(prepared(FOLDER, **TINY, confidence=0.5), half(0, 255)).classes] == ["right"]
    assert classified(prepared(FOLDER, **TINY, confidence=0.9), half(90, 90)) == Classification(())


def test_inverting_turns_light_and_dark_around() -> None:
    assert classified(prepared(FOLDER, **TINY, invert=True), half(255, 0)).classes[0].label == "right"


def test_a_crop_leaves_out_the_sides_and_stretching_does_not() -> None:
    wide = np.zeros((28, 112, 3), np.uint8)
    wide[:, :42] = 255  # outside the square in the middle
    cropped, stretched = (classified(prepared(FOLDER, **TINY, fit=fit), wide).classes for fit in ("crop", "stretch"))
    assert {found.confidence for found in cropped} == {0.3333}  # black, all of it
    assert stretched[0].label == "left"


def test_a_share_of_the_crop_keeps_its_middle() -> None:
    plugin = prepared(FOLDER, **TINY, crop_share=0.5)
    framed = np.full((56, 56, 3), 255, np.uint8)
    framed[14:42, 14:42] = 0
    assert {found.confidence for found in classified(plugin, framed).classes} == {0.3333}


def test_without_softmax_scores_must_be_confidences() -> None:
    plugin = prepared(FOLDER, **TINY, softmax=False)
    assert [found.confidence for found in classified(plugin, half(0, 51)).classes] == pytest.approx([0.8, 0.4, 0.0], abs=1e-3)
    with pytest.raises(ValueError, match=r"scores from 0 to 4: set softmax"):
        classified(plugin, half(0, 255))


def test_mean_and_std_follow_the_order_of_the_channels() -> None:
    plugin = prepared(FOLDER, **TINY)
    plugin._channels, plugin._mean, plugin._std = "rgb", np.array([1, 2, 3]), np.array([2, 3, 7])  # type: ignore[attr-defined]  # the form is tested
    blob = plugin._blob(np.full((28, 28, 3), (10, 20, 30), np.uint8))  # type: ignore[attr-defined]  # the form is tested
    assert blob.shape == (1, 3, 28, 28)
    assert blob[0, :, 0, 0].tolist() == pytest.approx([29 / 2, 18 / 3, 7 / 7])


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1)])
def test_a_frame_of_any_shape_gives_a_valid_answer(shape: tuple[int, int]) -> None:
    assert len(classified(prepared(FOLDER, **TINY), np.full((*shape, 3), 90, np.uint8)).classes) == 3


def test_labels_come_from_a_file_a_list_or_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("links\nrechts\n\noben\n")
    in_file = prepared(FOLDER, model="sample.onnx", labels_file=str(tmp_path / "labels.txt"))
    assert classified(in_file, half(0, 255)).classes[0].label == "rechts"
    assert classified(prepared(FOLDER, model="sample.onnx", labels=""), half(0, 255)).classes[0].label == "1"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"labels": "a,b"}, "tells 3 classes apart, but labels names 2"),
        ({"mean": "1,2,3"}, "mean is '1,2,3', expected one number"),
        ({"std": "0"}, "std holds a 0"),
    ],
)
def test_options_that_do_not_fit_the_model_are_refused_before_the_first_frame(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        prepared(FOLDER, **{**TINY, **options})


def test_the_summary_of_no_frames_is_all_zero() -> None:
    assert prepared(FOLDER, **TINY).finalize(iter([])) == {"frames": 0, "labels": {}}


@pytest.mark.shared
@pytest.mark.skipif(not REAL.exists(), reason="the real models are not beside the project (../shared/data)")
@pytest.mark.parametrize("dark_on_light", [False, True], ids=["white on black", "black on white"])
def test_every_drawn_digit_is_read(dark_on_light: bool) -> None:
    draw = beside("make_sample").draw
    plugin = prepared(FOLDER, model=str(REAL), invert=dark_on_light)
    for digit in range(10):
        for stroke in (18, 24, 30):
            pixels = 255 - draw(digit, stroke) if dark_on_light else draw(digit, stroke)
            first = classified(plugin, pixels).classes[0]
            assert (first.label, first.confidence > 0.9) == (str(digit), True), (digit, stroke)
