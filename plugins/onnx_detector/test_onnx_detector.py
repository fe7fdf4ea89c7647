"""onnx_detector: every layout on a tiny model of that layout, its options, and the real models on a real video."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from app.sdk import Box, Detections, Frame
from app.testing.failure import CheckFailed
from app.testing.harness import Harness
from app.testing.sample import sealed
from app.testing.trial import Trial
from tests.tiny_detectors import SIDE, tiny_fastestdet, tiny_flat, tiny_ssd, tiny_yolox

FOLDER = Path(__file__).parent
SHARED_MODELS = FOLDER.parents[2] / "shared" / "data" / "models"
TINY = {"labels": "red,green", "width": SIDE, "height": SIDE, "confidence": 0.5, "overlap": 0.2}
FASTESTDET = {"layout": "fastestdet", "width": 352, "height": 352, "letterbox": "none", "std": "255"}
VIDEO = SHARED_MODELS.parent / "video" / "vtest.avi"
real = pytest.mark.skipif(not VIDEO.exists(), reason="the real videos and models are not beside the project (../shared/data)")

EXPECTED = [
    ("green", Box(0.625, 0.625, 0.125, 0.125)),
    ("red", Box(0.125, 0.25, 0.125, 0.125)),
    ("red", Box(0.5, 0, 0.25, 0.25)),
]


def sample() -> np.ndarray:
    return cv2.imread(str(FOLDER / "sample.png"))


def found(trial: Trial, pixels: np.ndarray) -> Detections:
    output = trial.process(Frame(sealed(pixels), 0, 0.0))
    assert isinstance(output, Detections), output
    return output


def told(output: Detections) -> list[tuple[str, Box]]:
    """What was found, in an order that does not depend on how sure the model was."""
    return sorted((detection.label, Box(*(round(value, 3) for value in detection.box))) for detection in output.detections)


MODELS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "yolox": (tiny_yolox(), {}),
    "yolov5": (tiny_flat(objectness=True, turned=False), {"layout": "yolov5"}),
    "yolov8": (tiny_flat(objectness=False, turned=True), {"layout": "yolov8"}),
    "yolov8, not turned": (tiny_flat(objectness=False, turned=False), {"layout": "yolov8"}),
    "ssd": (tiny_ssd(), {"layout": "ssd", "scores": "softmax"}),
}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """The tiny model in YOLOX's layout."""
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_yolox())
    return path


@pytest.mark.parametrize("layout", MODELS)
def test_each_layout_finds_the_blocks_where_they_are(layout: str, tmp_path: Path, harness: Harness) -> None:
    body, options = MODELS[layout]
    (tmp_path / "tiny.onnx").write_bytes(body)
    trial = harness.trial(model=str(tmp_path / "tiny.onnx"), **TINY, **options)
    assert told(found(trial, sample())) == EXPECTED
    assert found(trial, np.full((SIDE, SIDE, 3), 128, np.uint8)) == Detections(())


def test_fastestdet_finds_the_blocks_of_its_one_grid(tmp_path: Path, harness: Harness) -> None:
    (tmp_path / "tiny.onnx").write_bytes(tiny_fastestdet())
    trial = harness.trial(model=str(tmp_path / "tiny.onnx"), **TINY, layout="fastestdet")
    quarters = [("red", Box(x, y, 0.125, 0.125)) for x in (0.5, 0.625) for y in (0.0, 0.125)]  # the block of 16 is four cells
    assert told(found(trial, sample())) == sorted([*EXPECTED[:2], *quarters])


def test_the_rows_of_seven_of_an_ssd_are_read_too(harness: Harness) -> None:
    layouts = harness.beside("layouts")
    rows = np.array([[0, 1, 0.9, 0.1, 0.2, 0.5, 0.6], [0, 2, 0.3, 0, 0, 1, 1], [-1, 0, 0, 0, 0, 0, 0]], np.float32)
    reading = layouts.Reading("ssd", (200, 100), 0.5, "none", True)
    boxes, ids, sure, classes = reading.candidates({"out": rows.reshape(1, 1, 3, 7)})
    assert (ids.tolist(), classes) == ([0], None)
    assert sure.tolist() == pytest.approx([0.9])
    assert boxes.tolist() == [pytest.approx([20, 20, 80, 40])]


# ---- the sample


def test_it_keeps_what_a_plugin_promises(plugin_check: Callable[[], str]) -> None:
    plugin_check()


def test_the_sample_and_its_model_are_what_their_scripts_make(harness: Harness) -> None:
    assert np.array_equal(harness.beside("make_sample").draw(), sample())
    assert (FOLDER / "sample.onnx").read_bytes() == tiny_yolox()


# ---- options


def test_only_the_classes_asked_for_are_told(tiny: Path, harness: Harness) -> None:
    output = found(harness.trial(model=str(tiny), **TINY, classes=["green"]), sample())
    assert told(output) == EXPECTED[:1]


def test_no_more_than_the_most_are_told_the_surest_first(tiny: Path, harness: Harness) -> None:
    everything = found(harness.trial(model=str(tiny), **TINY), sample()).detections
    assert [d.confidence for d in everything] == sorted((d.confidence for d in everything), reverse=True)
    assert found(harness.trial(model=str(tiny), **TINY, most=1), sample()).detections == everything[:1]


@pytest.mark.parametrize(("letterbox", "top"), [("corner", 0), ("centre", 16)])
def test_a_letterboxed_frame_keeps_its_proportions_and_its_boxes(
    letterbox: str, top: int, tiny: Path, harness: Harness
) -> None:
    wide = np.full((64, 128, 3), 128, np.uint8)  # half as high as wide: the input is filled to a half
    left, up = 32, 16  # 16 pixels of the frame are the 8 of one cell
    wide[up : up + 16, left : left + 16] = (20, 20, 240)
    trial = harness.trial(model=str(tiny), **TINY, letterbox=letterbox, pad=128)
    assert told(found(trial, wide)) == [("red", Box(0.25, 0.25, 0.125, 0.25))]
    blob, placement = trial.plugin._form.blob(wide)
    assert blob.shape == (1, 3, 64, 64)
    assert placement[2:] == (0, top)


def test_a_stretched_frame_fills_the_input(tiny: Path, harness: Harness) -> None:
    tall = cv2.resize(sample(), (64, 192), interpolation=cv2.INTER_NEAREST)
    assert told(found(harness.trial(model=str(tiny), **TINY, letterbox="none"), tall)) == EXPECTED


def test_channels_mean_and_std_are_given_to_the_model_as_it_wants_them(harness: Harness) -> None:
    picture = harness.beside("picture")
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[:] = (10, 20, 30)
    form = picture.InputForm((2, 2), "none", 0, True, (1.0, 2.0, 3.0), (2.0, 3.0, 7.0))
    blob, _ = form.blob(pixels)
    assert blob[0, :, 0, 0].tolist() == pytest.approx([29 / 2, 18 / 3, 7 / 7])
    plain = picture.InputForm((2, 2), "none", 0, False, (0.0, 0.0, 0.0), (255.0, 255.0, 255.0))
    assert plain.blob(pixels)[0][0, :, 0, 0].tolist() == pytest.approx([10 / 255, 20 / 255, 30 / 255])


def test_boxes_of_two_classes_do_not_drive_each_other_out(tiny: Path, harness: Harness) -> None:
    trial, layouts = harness.trial(model=str(tiny), **TINY), harness.beside("layouts")
    boxes = np.array([[0, 0, 10, 10], [1, 0, 10, 10], [0, 1, 10, 10]], np.float32)
    candidates = layouts.Candidates(boxes, np.array([0, 0, 1]), np.array([0.6, 0.9, 0.8], np.float32), 2)
    sifted = trial.plugin._sifted(candidates)
    assert list(zip(sifted.class_ids.tolist(), sifted.boxes[:, 0].tolist(), strict=True)) == [(0, 1.0), (1, 0.0)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"labels": "red,green,blue"}, "tells 2 classes apart, but labels names 3"),
        ({"labels": " , "}, "labels is empty"),
        ({"classes": ["cat"]}, "classes names cat, which labels does not hold"),
        ({"mean": "1,2"}, "mean is '1,2', expected one number, or three"),
        ({"std": "0"}, "std holds a 0"),
        ({"layout": "yolov8"}, "tells 3 classes apart, but labels names 2"),
        ({"layout": "fastestdet"}, "The layout fastestdet wants one output"),
        ({"width": 32}, "."),
    ],
)
def test_options_that_do_not_fit_the_model_are_refused_before_the_first_frame(
    options: dict[str, Any], words: str, tiny: Path, harness: Harness
) -> None:
    with pytest.raises(CheckFailed, match=words):
        harness.trial(model=str(tiny), **{**TINY, **options})


def test_the_summary_of_no_frames_is_all_zero(tiny: Path, harness: Harness) -> None:
    summary = harness.sum_up([]).summary
    assert summary == {"frames": 0, "frames_with_detections": 0, "labels": {}}


# ---- the real models


def share_with_people(model: str, every: int, **options: Any) -> tuple[float, int]:
    """Give on what share of vtest.avi's frames a person is found, and on how many frames was looked."""
    frames = hits = 0
    with Harness(FOLDER, threads=2) as harness, av.open(str(VIDEO)) as video:
        given = {"model": str(SHARED_MODELS / f"{model}.onnx"), **options}
        trial = harness.trial(**harness.metadata.defaults() | given)
        for index, frame in enumerate(video.decode(video=0)):
            if index % every == 0:
                frames += 1
                output = found(trial, frame.to_ndarray(format="bgr24"))
                hits += any(detection.label == "person" for detection in output.detections)
    return hits / frames, frames


@real
@pytest.mark.shared
@pytest.mark.parametrize(
    ("model", "options"), [("yolox_nano_416", {}), ("fastestdet_352", FASTESTDET)], ids=["yolox", "fastestdet"]
)
def test_a_person_is_found_on_nearly_every_frame_of_a_real_video(model: str, options: dict[str, Any]) -> None:
    share, frames = share_with_people(model, every=20, **options)
    assert frames == 40
    assert share >= 0.95


@real
@pytest.mark.shared
@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_person_is_found_on_nearly_every_one_of_all_frames() -> None:
    share, frames = share_with_people("yolox_nano_416", every=1)
    assert frames == 795
    assert share >= 0.95
