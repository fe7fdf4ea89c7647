"""onnx_classifier on a tiny model, with its options, and on digits with the real model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from app.engine.stages import RowError
from app.sdk import Classification, Frame
from app.testing.failure import CheckFailed
from app.testing.harness import Harness
from app.testing.sample import sealed
from app.testing.trial import Trial
from tests.tiny_onnx import TinyModel

FOLDER = Path(__file__).parent
SHARED_MODELS = FOLDER.parents[2] / "shared" / "data" / "models"
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


def sample() -> np.ndarray:
    return cv2.imread(str(FOLDER / "sample.png"))


def classified(trial: Trial, pixels: np.ndarray) -> Classification:
    output = trial.process(Frame(sealed(pixels), 0, 0.0))
    assert isinstance(output, Classification), output
    return output


def half(left: int, right: int, shape: tuple[int, int] = (28, 28)) -> np.ndarray:
    """A picture whose halves are even."""
    pixels = np.zeros((*shape, 3), np.uint8)
    pixels[:, : shape[1] // 2], pixels[:, shape[1] // 2 :] = left, right
    return pixels


def test_it_keeps_what_a_plugin_promises(plugin_check: Callable[[], str]) -> None:
    plugin_check()


def test_the_sample_and_its_model_are_what_their_scripts_make(harness: Harness) -> None:
    assert np.array_equal(harness.beside("make_sample").draw(), sample())
    assert (FOLDER / "sample.onnx").read_bytes() == tiny_model()


def test_the_surest_class_comes_first_and_all_confidences_make_one(harness: Harness) -> None:
    output = classified(harness.trial(**TINY), half(0, 255))
    assert [found.label for found in output.classes] == ["right", "top", "left"]
    weights = np.exp([4.0, 2.0, 0.0])
    assert [found.confidence for found in output.classes] == pytest.approx((weights / weights.sum()).tolist(), abs=1e-3)


def test_only_so_many_and_only_so_sure_classes_are_told(harness: Harness) -> None:
    assert len(classified(harness.trial(**TINY, top=2), half(0, 255)).classes) == 2
    assert [found.label for found in classified(harness.trial(**TINY, confidence=0.5), half(0, 255)).classes] == ["right"]
    assert classified(harness.trial(**TINY, confidence=0.9), half(90, 90)) == Classification(())


def test_inverting_turns_light_and_dark_around(harness: Harness) -> None:
    assert classified(harness.trial(**TINY, invert=True), half(255, 0)).classes[0].label == "right"


def test_a_crop_leaves_out_the_sides_and_stretching_does_not(harness: Harness) -> None:
    wide = np.zeros((28, 112, 3), np.uint8)
    wide[:, :42] = 255  # outside the square in the middle
    cropped, stretched = (classified(harness.trial(**TINY, fit=fit), wide).classes for fit in ("crop", "stretch"))
    assert {found.confidence for found in cropped} == {0.3333}  # black, all of it
    assert stretched[0].label == "left"


def test_a_share_of_the_crop_keeps_its_middle(harness: Harness) -> None:
    trial = harness.trial(**TINY, crop_share=0.5)
    framed = np.full((56, 56, 3), 255, np.uint8)
    framed[14:42, 14:42] = 0
    assert {found.confidence for found in classified(trial, framed).classes} == {0.3333}


def test_without_softmax_scores_must_be_confidences(harness: Harness) -> None:
    trial = harness.trial(**TINY, softmax=False)
    assert [found.confidence for found in classified(trial, half(0, 51)).classes] == pytest.approx([0.8, 0.4, 0.0], abs=1e-3)
    failed = trial.process(Frame(sealed(half(0, 255)), 1, None))
    assert isinstance(failed, RowError)
    assert "scores from 0 to 4: set softmax" in failed.message


def test_mean_and_std_follow_the_order_of_the_channels(harness: Harness) -> None:
    trial = harness.trial(**TINY)
    trial.plugin._channels, trial.plugin._mean, trial.plugin._std = "rgb", np.array([1, 2, 3]), np.array([2, 3, 7])
    blob = trial.plugin._blob(np.full((28, 28, 3), (10, 20, 30), np.uint8))
    assert blob.shape == (1, 3, 28, 28)
    assert blob[0, :, 0, 0].tolist() == pytest.approx([29 / 2, 18 / 3, 7 / 7])


def test_labels_come_from_a_file_a_list_or_are_numbers(tmp_path: Path, harness: Harness) -> None:
    (tmp_path / "labels.txt").write_text("links\nrechts\n\noben\n")
    in_file = harness.trial(model="sample.onnx", labels_file=str(tmp_path / "labels.txt"))
    assert classified(in_file, half(0, 255)).classes[0].label == "rechts"
    assert classified(harness.trial(model="sample.onnx", labels=""), half(0, 255)).classes[0].label == "1"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"labels": "a,b"}, "tells 3 classes apart, but labels names 2"),
        ({"mean": "1,2,3"}, "mean is '1,2,3', expected one number"),
        ({"std": "0"}, "std holds a 0"),
    ],
)
def test_options_that_do_not_fit_the_model_are_refused_before_the_first_frame(
    options: dict[str, Any], words: str, harness: Harness
) -> None:
    with pytest.raises(CheckFailed, match=words):
        harness.trial(**{**TINY, **options})


def test_the_summary_of_no_frames_is_all_zero(harness: Harness) -> None:
    assert harness.sum_up([]).summary == {"frames": 0, "labels": {}}


@pytest.mark.shared
@pytest.mark.skipif(not REAL.exists(), reason="the real models are not beside the project (../shared/data)")
@pytest.mark.parametrize("dark_on_light", [False, True], ids=["white on black", "black on white"])
def test_every_drawn_digit_is_read(dark_on_light: bool, harness: Harness) -> None:
    draw = harness.beside("make_sample").draw
    trial = harness.trial(**harness.metadata.defaults() | {"model": str(REAL), "invert": dark_on_light})
    for digit in range(10):
        for stroke in (18, 24, 30):
            pixels = 255 - draw(digit, stroke) if dark_on_light else draw(digit, stroke)
            first = classified(trial, pixels).classes[0]
            assert (first.label, first.confidence > 0.9) == (str(digit), True), (digit, stroke)
