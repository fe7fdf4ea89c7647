"""faces_yunet on a tiny model with YuNet's outputs, and on the real one: against cv2.FaceDetectorYN, number by number."""

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
from tests.tiny_onnx import TinyModel

FOLDER = Path(__file__).parent
SHARED_MODELS = FOLDER.parents[2] / "shared" / "data" / "models"
REAL = SHARED_MODELS / "yunet_n_320_320.onnx"
VIDEO = SHARED_MODELS.parent / "video" / "vtest.avi"
SIDE = 160
TINY: dict[str, Any] = {"model": "sample.onnx", "width": SIDE, "height": SIDE, "confidence": 0.5}
POINTS = [0.25, 0.35, 0.75, 0.35, 0.5, 0.5, 0.3, 0.8, 0.7, 0.8]  # within the cell
real = pytest.mark.skipif(not REAL.exists(), reason="the real models are not beside the project (../shared/data)")


def tiny_model() -> bytes:
    """YuNet's twelve outputs: a face as large as its cell where a cell of 32 pixels is the colour of skin."""
    model = TinyModel((3, SIDE, SIDE))
    shapes: dict[str, tuple[int, ...]] = {}
    for stride in (8, 16, 32):
        cells = (SIDE // stride) ** 2
        weight = np.zeros((1, 3, stride, stride))
        weight[0, 0], weight[0, 2] = -0.1 / stride**2, 0.1 / stride**2  # red without blue
        logit = model.conv("input", weight, [-2.0 if stride == 32 else -30.0], stride)
        sure = model.add("Sigmoid", logit)
        tables = {"cls": sure, "obj": sure}
        for kind, values in (("bbox", [0.5, 0.5, 0.0, 0.0]), ("kps", POINTS)):
            tables[kind] = model.conv(logit, np.zeros((len(values), 1, 1, 1)), values)
        for kind, table in tables.items():
            width = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}[kind]
            shapes[f"{kind}_{stride}"] = (1, cells, width)
            flat = model.reshaped(table, [1, width, cells])
            model.add("Transpose", flat, perm=[0, 2, 1], output=f"{kind}_{stride}")
    return model.written(shapes)


def sample() -> np.ndarray:
    return cv2.imread(str(FOLDER / "sample.png"))


def found(trial: Trial, pixels: np.ndarray) -> Detections:
    output = trial.process(Frame(sealed(pixels), 0, 0.0))
    assert isinstance(output, Detections), output
    return output


def places(output: Detections) -> list[tuple[float, float]]:
    """Where the landmarks are."""
    return [(round(shape.points[0].x, 4), round(shape.points[0].y, 4)) for shape in output.shapes]


def test_it_keeps_what_a_plugin_promises(plugin_check: Callable[[], str]) -> None:
    plugin_check()


def test_the_sample_and_its_model_are_what_their_scripts_make(harness: Harness) -> None:
    assert np.array_equal(harness.beside("make_sample").draw(), sample())
    assert (FOLDER / "sample.onnx").read_bytes() == tiny_model()


def test_a_face_is_its_cell_with_five_named_landmarks_within(harness: Harness) -> None:
    output = found(harness.trial(**TINY), sample())
    (face,) = output.detections
    assert face.box == Box(0.4, 0.4, 0.2, 0.2)
    assert places(output) == [(round(0.4 + 0.2 * x, 4), round(0.4 + 0.2 * y, 4)) for x, y in np.reshape(POINTS, (5, 2))]
    assert [shape.label for shape in output.shapes][:3] == ["right eye", "left eye", "nose"]


def test_landmarks_can_be_left_out(harness: Harness) -> None:
    assert found(harness.trial(**TINY, landmarks=False), sample()).shapes == ()


def test_a_wide_frame_keeps_its_proportions_and_its_boxes(harness: Harness) -> None:
    wide = np.full((160, 320, 3), 200, np.uint8)
    wide[64:128, 64:128] = (140, 175, 225)  # of the 320 × 160 searched at 160 × 80: one cell of 32
    (face,) = found(harness.trial(**TINY), wide).detections
    assert face.box == Box(0.2, 0.4, 0.2, 0.4)


def test_of_faces_that_overlap_the_surest_is_kept(harness: Harness) -> None:
    plugin = harness.beside("plugin")
    boxes = np.array([[0, 0, 10, 10], [1, 1, 10, 10], [40, 40, 10, 10]], np.float32)
    faces = plugin.Faces(boxes, np.zeros((3, 5, 2), np.float32), np.array([0.7, 0.9, 0.8], np.float32))
    assert plugin.sifted(faces, 0.3).confidences.tolist() == pytest.approx([0.9, 0.8])


@pytest.mark.parametrize(
    ("options", "words"),
    [({"width": 100}, "expected multiples of 32"), ({"width": 96}, "cls_8 should hold 240 × 1 numbers|sample.onnx")],
)
def test_an_input_that_does_not_fit_is_refused_before_the_first_frame(
    options: dict[str, Any], words: str, harness: Harness
) -> None:
    with pytest.raises(CheckFailed, match=words):
        harness.trial(**{**TINY, **options})


def test_a_model_that_is_no_yunet_is_refused(tmp_path: Path, harness: Harness) -> None:
    model = TinyModel((3, SIDE, SIDE))
    model.conv("input", np.zeros((1, 3, 1, 1)), [0.0])
    model.add("Identity", "t0", output="other")
    (tmp_path / "other.onnx").write_bytes(model.written({"other": (1, 1, SIDE, SIDE)}))
    with pytest.raises(CheckFailed, match="A YuNet gives cls_8; the model gives other"):
        harness.trial(**{**TINY, "model": str(tmp_path / "other.onnx")})


def test_the_summary_of_no_frames_is_all_zero(harness: Harness) -> None:
    summary = harness.sum_up([]).summary
    assert summary == {"frames": 0, "frames_with_faces": 0, "faces_max": 0, "faces_mean": 0.0}


# ---- the real model


def compare(trial: Trial, pixels: np.ndarray) -> int:
    """Hold the plugin's faces on a picture of 320 × 320 to those of cv2.FaceDetectorYN; gives how many there are."""
    told = cv2.FaceDetectorYN.create(str(REAL), "", (320, 320), 0.4, 0.3).detect(pixels)[1]
    theirs = np.empty((0, 15), np.float32) if told is None else told
    output = found(trial, pixels)
    assert len(output.detections) == len(theirs)
    for number, (face, row) in enumerate(zip(output.detections, theirs, strict=True)):
        assert face.confidence == pytest.approx(row[14], abs=1e-3)
        left, top, right, bottom = (min(max(v / 320, 0), 1) for v in (row[0], row[1], row[0] + row[2], row[1] + row[3]))
        assert list(face.box) == pytest.approx([left, top, right - left, bottom - top], abs=1e-3)
        marks = [value for point in places(output)[number * 5 : number * 5 + 5] for value in point]
        assert marks == pytest.approx(np.clip(row[4:14] / 320, 0, 1).tolist(), abs=1e-3)
    return len(theirs)


@real
@pytest.mark.shared
def test_a_drawn_face_is_found_wherever_it_is_as_opencv_s_own_detector_finds_it(harness: Harness) -> None:
    draw = harness.beside("make_sample").draw
    trial = harness.trial(**harness.metadata.defaults() | {"model": str(REAL), "confidence": 0.4})
    for x, y, scale in ((160, 160, 0.4), (160, 150, 1.0), (90, 110, 0.6), (250, 220, 0.5)):
        assert compare(trial, draw(x, y, scale)) == 1, (x, y, scale)
    assert compare(trial, np.full((320, 320, 3), 190, np.uint8)) == 0


@real
@pytest.mark.shared
def test_faces_of_real_people_are_those_of_opencv_s_own_detector(harness: Harness) -> None:
    trial = harness.trial(**harness.metadata.defaults() | {"model": str(REAL), "confidence": 0.4})
    faces = 0
    with av.open(str(VIDEO)) as video:
        for index, frame in enumerate(video.decode(video=0)):
            if index % 40 == 0:
                pixels = cv2.resize(frame.to_ndarray(format="bgr24"), (960, 720))
                faces += compare(trial, np.ascontiguousarray(pixels[300:620, 560:880]))  # a crowd's part of the square
    assert faces >= 3
