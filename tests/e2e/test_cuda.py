"""CUDA for real, where a runtime here has it: the decision, agreement with the CPU, and how much faster it is."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from app.devices.attach import Attachments
from app.devices.runtime import Refused
from app.devices.runtimes import RUNTIMES, open_runtime
from app.domain.device import DeviceRequest, Target
from tests.conftest import ROOT

pytestmark = pytest.mark.cuda
SHAPES = ROOT / "plugins" / "shapes_dnn" / "shapes.onnx"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    """A runtime that has CUDA here; skips, with the reason, one that has not."""
    try:
        obstacle = open_runtime(request.param, 1).obstacle(Target.CUDA, None)
    except Refused as refused:
        obstacle = refused.obstacle
    if obstacle is not None:
        pytest.skip(obstacle.told)
    return str(request.param)


def attached(asked: str, runtime: str, model: Path, sample: np.ndarray) -> tuple[Any, Any]:
    networks = Attachments(DeviceRequest.parse(asked), stage="finder", devices=list(Target), strict=True, runtime=runtime)
    return networks.attach(model, sample=sample), networks.decision()


def test_a_run_on_cuda_says_cuda_and_finds_what_the_cpu_finds(runtime: str, sightline: Run, tmp_path: Path) -> None:
    found = {}
    for asked in ("cpu", "cuda"):
        done = sightline(
            "run", ROOT / "samples" / "shapes.mp4", "--plugin", "shapes_dnn", "--set", f"shapes_dnn.runtime={runtime}",
            "--device", asked, "--strict-device", "--json", "--out", tmp_path / asked,
        )  # fmt: skip
        job = json.loads(done.stdout)
        assert (done.returncode, job["device_used"], job["fallback"]) == (0, asked, False), job
        rows = [json.loads(line) for line in (tmp_path / asked / "frames.ndjson").read_text().splitlines()]
        found[asked] = [sorted(one["label"] for one in row["outputs"]["shapes_dnn"]["detections"]) for row in rows]
    assert any(found["cpu"])
    differing = sum(one != other for one, other in zip(found["cpu"], found["cuda"], strict=True))
    assert differing <= len(found["cpu"]) // 100  # a box at the very threshold may fall either way


def test_half_precision_agrees_with_the_cpu_or_says_why_not(runtime: str) -> None:
    if runtime != "opencv":
        pytest.skip("only OpenCV has half precision to ask for")
    sample = np.random.default_rng(5).random((1, 3, 144, 256), np.float32)
    request = DeviceRequest(Target.CUDA_FP16)
    networks = Attachments(request, stage="finder", devices=list(Target))
    networks.attach(SHAPES, sample=sample)
    decision = networks.decision()
    assert (decision.used is Target.CUDA_FP16) or (decision.fallback and decision.code)


@pytest.mark.shared
def test_a_real_detector_agrees_on_cuda_and_its_speed_is_told(runtime: str, shared: Path) -> None:
    model = shared / "models" / "yolox_nano_416.onnx"
    sample = np.random.default_rng(5).random((1, 3, 416, 416), np.float32) * 255
    took, given = {}, {}
    for asked in ("cpu", "cuda"):
        net, decision = attached(asked, runtime, model, sample)
        assert decision.used == asked
        given[asked] = net.forward(sample)
        begun = perf_counter()
        for _ in range(50):
            net.forward(sample)
        took[asked] = (perf_counter() - begun) / 50 * 1000
    for name, numbers in given["cpu"].items():
        assert np.allclose(given["cuda"][name], numbers, rtol=0.02, atol=0.02)
    print(f"\n{runtime}, {model.name}: CPU {took['cpu']:.1f} ms, CUDA {took['cuda']:.1f} ms, {took['cpu'] / took['cuda']:.1f}x")
