"""OpenCV 4.14 and the OpenCV that is installed decide alike and find the same: both are run, each in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import IN_CI
from tests.onnx_files import write_network

ROOT = Path(__file__).parents[2]
OLDER = "4.14.0.94"
ASKED = ("auto", "cpu", "cuda", "cuda_fp16", "openvino", "opencl", "cuda:1")
ASK = """
import json, sys
from pathlib import Path
import cv2, numpy as np
from app.devices.attach import Attachments
from app.domain.device import DeviceRequest, Target
model, shape = Path(sys.argv[1]), json.loads(sys.argv[2])
sample = np.random.default_rng(3).random(shape, np.float32)
told = {"version": cv2.__version__}
for asked in json.loads(sys.argv[3]):
    networks = Attachments(DeviceRequest.parse(asked), stage="finder", devices=list(Target))
    given = networks.attach(model, sample=sample).forward(sample)
    one = networks.decision()
    told[asked] = {
        "used": one.used, "fallback": one.fallback, "code": one.code, "reason": one.reason,
        "attempts": [(attempt.target, attempt.outcome, attempt.code) for attempt in one.attempts],
        "outputs": {name: array.ravel().tolist() for name, array in given.items()},
    }
print(json.dumps(told))
"""
FIND = """
import json
from pathlib import Path
import cv2
from app.sdk import Frame
from tests.networks import prepared
plugin = prepared(Path("plugins/shapes_dnn"))
video, found = cv2.VideoCapture("samples/shapes.mp4"), []
while len(found) < 40:
    pixels = video.read()[1]
    output = plugin.process_frame(Frame(pixels, len(found), None))
    boxes = [(one.label, one.confidence, one.box.x, one.box.y, one.box.w, one.box.h) for one in output.detections]
    found.append(sorted(boxes, key=lambda box: (box[0], round(box[2], 2), round(box[3], 2))))
print(json.dumps({"version": cv2.__version__, "found": found}))
"""
pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with OpenCV 4.14, to stand before the installed one."""
    folder = tmp_path_factory.mktemp("opencv")
    wanted = f"opencv-contrib-python-headless=={OLDER}"
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--target",
        folder,
        wanted,
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        reason = f"OpenCV {OLDER} could not be fetched: {done.stderr.strip().splitlines()[-1]}"
        pytest.fail(reason) if IN_CI else pytest.skip(reason)
    return folder


def ask(code: str, *arguments: object, before: Path | None = None) -> Any:
    """Run code in a process of its own, with a folder before the installed packages, and read what it tells."""
    path = os.pathsep.join([*([str(before)] if before else []), str(ROOT)])
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def compare(model: Path, shape: tuple[int, ...], older: Path, tolerance: float = 1e-3) -> None:
    new, old = (ask(ASK, model, json.dumps(shape), json.dumps(ASKED), before=folder) for folder in (None, older))
    assert old["version"] == "4.14.0"
    assert new["version"] != old["version"]
    for asked in ASKED:
        for fact in ("used", "fallback", "code", "reason", "attempts"):
            assert old[asked][fact] == new[asked][fact], (asked, fact)
        assert old[asked]["outputs"].keys() == new[asked]["outputs"].keys()
        for name, numbers in new[asked]["outputs"].items():
            assert old[asked]["outputs"][name] == pytest.approx(numbers, rel=tolerance, abs=tolerance), (asked, name)


def test_both_decide_alike_and_give_the_same_numbers(older: Path, tmp_path: Path) -> None:
    compare(write_network(tmp_path / "tiny.onnx"), (1, 3, 8, 8), older)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("file", "shape"),
    [
        ("mnist.onnx", (1, 1, 28, 28)),
        ("fastestdet_352.onnx", (1, 3, 352, 352)),
        ("yunet_n_320_320.onnx", (1, 3, 320, 320)),
        ("yolox_nano_416.onnx", (1, 3, 416, 416)),
    ],
)
def test_both_give_the_same_numbers_on_real_networks(file: str, shape: tuple[int, ...], older: Path, shared: Path) -> None:
    compare(shared / "models" / file, shape, older)


def test_both_find_the_same_shapes(older: Path) -> None:
    new, old = (ask(FIND, before=folder) for folder in (None, older))
    assert old["version"] != new["version"]
    assert sum(map(len, new["found"])) > 40
    for one, other in zip(new["found"], old["found"], strict=True):
        assert [box[0] for box in one] == [box[0] for box in other]
        assert [box[1:] for box in other] == [pytest.approx(box[1:], abs=2e-3) for box in one]


@pytest.mark.parametrize("folder", ["tests/unit/devices", "plugins"])
def test_the_tests_of_attaching_and_of_the_plugins_pass_on_the_older_one_too(folder: str, older: Path) -> None:
    path = os.pathsep.join([str(older), str(ROOT)])
    command = [sys.executable, "-m", "pytest", "-q", "-m", "not soak", "-p", "no:cacheprovider", folder]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": path})
    assert done.returncode == 0, done.stdout
