"""The inventory of this machine's devices: true of the OpenCV that is here, and told, never raised, where it fails."""

import os
import subprocess
import sys
from pathlib import Path

import anyio
import cv2
import msgspec
import pytest

from app.devices.inventory import Inventory, inventory, take_inventory
from app.devices.opencv import build_fact, explain_cuda, explain_opencl, explain_openvino
from app.domain.device import FallbackCode, Target

BUILD_WITH_CUDA = """
  NVIDIA CUDA:                   YES (ver 12.8, CUFFT CUBLAS FAST_MATH)
    NVIDIA GPU arch:             75 86 89

  cuDNN:                         YES (ver 9.7.1)

  OpenCL:                        NO
"""


def test_the_child_s_inventory_is_that_of_this_machine() -> None:
    taken = anyio.run(take_inventory)
    here = inventory()
    assert taken.problem is None
    assert (taken.cpu, taken.opencv, taken.targets) == (here.cpu, here.opencv, here.targets)


def test_every_target_has_a_state_and_where_it_is_missing_a_code_and_a_sentence() -> None:
    states = inventory().targets
    assert [state.target for state in states] == list(Target)
    for state in states:
        assert (state.code is None) == state.available
        assert state.reason.endswith(".")


def test_the_states_are_what_opencv_answers() -> None:
    here = inventory()
    cuda = list(cv2.dnn.getAvailableTargets(cv2.dnn.DNN_BACKEND_CUDA))
    assert here.state(Target.CUDA).available == (cv2.dnn.DNN_TARGET_CUDA in cuda)
    assert here.state(Target.CUDA_FP16).available == (cv2.dnn.DNN_TARGET_CUDA_FP16 in cuda)
    assert here.state(Target.CPU).available
    assert here.opencv.version == cv2.__version__
    assert len(here.opencv.distributions) == 1
    assert (here.opencv.cuda is None) == ("NVIDIA CUDA:" not in cv2.getBuildInformation())


def test_a_wheel_without_cuda_says_so_and_what_to_do() -> None:
    state = inventory().state(Target.CUDA)
    if state.available or "NVIDIA CUDA:" in cv2.getBuildInformation():
        pytest.skip("this OpenCV was built with CUDA")
    assert state.code is FallbackCode.NOT_BUILT
    assert "built without CUDA" in state.reason


@pytest.mark.parametrize(
    ("line", "devices", "code", "said"),
    [
        (None, 0, FallbackCode.NOT_BUILT, "built without CUDA"),
        ("NO", -1, FallbackCode.NOT_BUILT, "built without CUDA"),
        ("YES (ver 12.8)", -1, FallbackCode.NO_DRIVER, "driver is missing or too old"),
        ("YES (ver 12.8)", 0, FallbackCode.NO_DEVICE, "no NVIDIA GPU"),
        ("YES (ver 12.8)", 2, FallbackCode.NO_BACKEND, "without cuDNN"),
    ],
)
def test_each_reason_why_cuda_is_missing_has_its_code(line: str | None, devices: int, code: FallbackCode, said: str) -> None:
    obstacle = explain_cuda(cuda_line=line, devices=devices)
    assert obstacle.code is code
    assert said in obstacle.sentence
    assert (f"NVIDIA CUDA: {line}" if line else "no line 'NVIDIA CUDA:'") in obstacle.evidence


@pytest.mark.parametrize(
    ("line", "runtime", "code"),
    [
        (None, True, FallbackCode.NOT_BUILT),
        ("NO", False, FallbackCode.NOT_BUILT),
        ("YES (no extra features)", False, FallbackCode.NO_DRIVER),
        ("YES (INTELVA)", True, FallbackCode.NO_DEVICE),
    ],
)
def test_each_reason_why_opencl_is_missing_has_its_code(line: str | None, runtime: bool, code: FallbackCode) -> None:
    assert explain_opencl(opencl_line=line, runtime=runtime).code is code


def test_each_reason_why_openvino_is_missing_has_its_code() -> None:
    assert explain_openvino(openvino_line=None).code is FallbackCode.NOT_BUILT
    assert explain_openvino(openvino_line="NO").code is FallbackCode.NOT_BUILT
    assert explain_openvino(openvino_line="YES (2025.2.0)").code is FallbackCode.NO_BACKEND


def test_facts_of_a_build_are_read_from_its_own_words() -> None:
    assert build_fact(BUILD_WITH_CUDA, "NVIDIA CUDA") == "YES (ver 12.8, CUFFT CUBLAS FAST_MATH)"
    assert build_fact(BUILD_WITH_CUDA, "OpenCL") == "NO"
    assert build_fact(BUILD_WITH_CUDA, "OpenVINO") is None
    assert build_fact(cv2.getBuildInformation(), "Version control").startswith(cv2.__version__.split("-")[0])


def test_an_inventory_comes_back_from_json_as_it_was() -> None:
    here = inventory()
    assert msgspec.json.decode(msgspec.json.encode(here), type=Inventory) == here


def test_a_child_that_takes_too_long_is_told_and_gone() -> None:
    taken = anyio.run(lambda: take_inventory(timeout_s=0.01))
    assert "took more than 0.01 s" in taken.problem
    assert taken.opencv is None
    assert not any(state.available for state in taken.targets)
    assert taken.cpu.cores >= taken.cpu.usable >= 1


def test_an_opencv_that_cannot_be_imported_is_told_with_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')\n")
    monkeypatch.syspath_prepend(tmp_path)
    taken = anyio.run(take_inventory)
    assert taken.problem == (
        "OpenCV could not be looked at: ImportError: libGL.so.1: cannot open shared object file."
    )  # fmt: skip
    assert taken.state(Target.CPU).code is FallbackCode.NO_BACKEND


def test_an_opencv_that_crashes_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cv2.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "exit code -9" in anyio.run(take_inventory).problem


def test_a_python_that_cannot_be_started_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert "could not be started" in anyio.run(take_inventory).problem


def test_what_opencv_prints_on_the_way_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('a library that talks', end='')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert anyio.run(take_inventory).problem is None


def test_a_server_that_takes_its_inventory_never_loads_opencv() -> None:
    code = (
        "import sys, anyio\nfrom app.devices.inventory import take_inventory\n"
        "anyio.run(take_inventory)\nprint('cv2' in sys.modules)"
    )
    root = Path(__file__).parents[3]
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root, env=os.environ)
    assert child.stdout.strip() == "False"
