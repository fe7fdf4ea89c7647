"""ONNX Runtime as the second runtime: the same decisions and outputs, every code at its edge, and imported only when asked."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from app.devices import runtimes
from app.devices.attach import Attachments
from app.devices.onnx_runtime import OnnxRuntime
from app.domain.device import DeviceRequest, FallbackCode, Target
from app.domain.errors import AttachFailed
from tests.onnx_files import write_network

SAMPLE = np.random.default_rng(7).random((1, 3, 8, 8), np.float32)
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network(tmp_path_factory.mktemp("models") / "tiny.onnx")


def attachments(asked: str, twin: Any = None, **options: Any) -> Attachments:
    ways = {} if twin is None else {"open_runtime": lambda _name, threads: OnnxRuntime(twin, threads)}
    request = DeviceRequest.parse(asked)
    return Attachments(request, stage="finder", runtime="onnxruntime", **{"devices": list(Target)} | ways | options)


class Session:
    """A session that runs on what its module says, whatever was asked for."""

    def __init__(self, twin: "OnnxTwin", asked: list[Any]) -> None:
        self.twin, self.asked = twin, asked

    def get_providers(self) -> list[str]:
        wanted = [name if isinstance(name, str) else name[0] for name in self.asked]
        return [name for name in wanted if name not in self.twin.left_out]

    def disable_fallback(self) -> None:
        pass

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="blob")]

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name="mean")]

    def run(self, names: tuple[str, ...], given: dict[str, np.ndarray]) -> list[np.ndarray]:
        if self.twin.fails and self.get_providers()[0] == CUDA:
            raise RuntimeError(self.twin.fails)
        return [given["blob"].mean((2, 3)) for _ in names]


class OnnxTwin:
    """A stand-in for the module `onnxruntime` with CUDA; `left_out` are providers it drops, saying `says`."""

    SessionOptions = SimpleNamespace

    def __init__(self, left_out: tuple[str, ...] = (), says: str = "", fails: str = "") -> None:
        self.left_out, self.says, self.fails = left_out, says, fails
        self.asked: list[list[Any]] = []

    def get_available_providers(self) -> list[str]:
        return [CUDA, CPU]

    def InferenceSession(self, path: str, options: Any, providers: list[Any]) -> Session:  # noqa: N802  # the library's name
        self.asked.append(providers)
        os.write(2, self.says.encode())
        return Session(self, providers)


def test_cuda_is_used_where_it_is_here(model: Path) -> None:
    twin = OnnxTwin()
    networks = attachments("cuda:1", twin)
    networks.attach(model, sample=SAMPLE)
    decision = networks.decision()
    assert (decision.requested, decision.used, decision.fallback) == ("cuda:1", Target.CUDA, False)
    assert twin.asked[0][0] == (CUDA, {"device_id": "1"})
    assert twin.asked[1] == [(CPU, {})]  # to compare with


@pytest.mark.parametrize(
    ("says", "code"),
    [
        ("libcudnn.so.9: cannot open shared object file: No such file", FallbackCode.NO_BACKEND),
        ("CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version", FallbackCode.NO_DRIVER),
        ("CUDA failure 100: no CUDA-capable device is detected", FallbackCode.NO_DEVICE),
        ("CUDA failure 2: out of memory", FallbackCode.OUT_OF_MEMORY),
        ("", FallbackCode.NO_BACKEND),
    ],
)
def test_a_provider_that_is_left_out_silently_is_found_out(says: str, code: FallbackCode, model: Path) -> None:
    line = f"2026-11-22 20:00:00.1 [E:onnxruntime:Default, provider_bridge_ort.cc:1] {says}\n" if says else ""
    networks = attachments("cuda", OnnxTwin(left_out=(CUDA,), says=line))
    networks.attach(model, sample=SAMPLE)
    decision = networks.decision()
    assert (decision.used, decision.fallback, decision.code) == (Target.CPU, True, code)
    assert decision.reason.startswith("ONNX Runtime was built with CUDA, but ")
    assert (says or "nothing was printed") in decision.attempts[0].reason
    assert "2026-11-22" not in decision.attempts[0].reason  # a clock would make each worker's decision another one


def test_a_forward_that_fails_is_a_fallback(model: Path) -> None:
    networks = attachments("auto", OnnxTwin(fails="cuDNN failure 5000"), devices=["cuda", "cpu"])
    networks.attach(model, sample=SAMPLE)
    decision = networks.decision()
    assert (decision.used, decision.code) == (Target.CPU, FallbackCode.FORWARD_FAILED)
    assert "cuDNN failure 5000" in decision.attempts[0].reason


@pytest.mark.parametrize(("asked", "code"), [("cuda_fp16", FallbackCode.NOT_SUPPORTED), ("opencl", FallbackCode.NO_BACKEND)])
def test_what_it_cannot_do_by_nature_is_told(asked: str, code: FallbackCode, model: Path) -> None:
    networks = attachments(asked, OnnxTwin(left_out=(CUDA,)))
    networks.attach(model, sample=SAMPLE)
    assert (networks.decision().fallback, networks.decision().code) == (True, code)


def test_where_it_is_not_installed_the_stage_says_how_to_install_it(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> Any:
        raise ImportError("No module named 'onnxruntime'")

    monkeypatch.setattr(runtimes, "import_onnxruntime", gone)
    with pytest.raises(AttachFailed, match=r"not installed here.*pip install 'sightline\[onnxruntime\]'"):
        attachments("auto").attach(model, sample=SAMPLE)


# ---- with the library itself


def test_both_runtimes_give_the_same_numbers(model: Path) -> None:
    pytest.importorskip("onnxruntime")
    networks = attachments("cpu")
    ours = networks.attach(model, sample=SAMPLE)
    theirs = networks.attach(model, sample=SAMPLE, runtime="opencv")
    assert networks.decision().used is Target.CPU
    one, other = ours.forward(SAMPLE), theirs.forward(SAMPLE)
    assert one.keys() == other.keys()
    assert all(np.allclose(one[name].ravel(), other[name].ravel(), atol=1e-5) for name in one)
    assert ours.input_names == theirs.input_names == ("blob",)


def test_the_real_library_without_cuda_says_so(model: Path) -> None:
    library = pytest.importorskip("onnxruntime")
    if CUDA in library.get_available_providers():
        pytest.skip("this ONNX Runtime was built with CUDA")
    networks = attachments("cuda")
    networks.attach(model, sample=SAMPLE)
    assert networks.decision().code is FallbackCode.NOT_BUILT
    assert networks.decision().reason == (
        "ONNX Runtime here was built without CUDA (the package onnxruntime-gpu has it), so finder ran on the CPU."
    )


def test_a_file_that_is_no_network_fails_to_load(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "text.onnx").write_text("no network")
    networks = attachments("cpu")
    with pytest.raises(AttachFailed):
        networks.attach(tmp_path / "text.onnx", sample=SAMPLE)
    assert networks.refused.code is FallbackCode.LOAD_FAILED


def test_a_worker_never_loads_it_unasked() -> None:
    code = "import sys, app.engine.work, app.devices.runtimes\nprint('onnxruntime' in sys.modules)"
    root = Path(__file__).parents[3]
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert child.stdout.strip() == "False"


def test_the_library_keeps_nothing_for_its_maker(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    code = "from app.devices.onnx_runtime import import_onnxruntime; import_onnxruntime()"
    places = {name: str(tmp_path) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME")}
    env = {name: value for name, value in os.environ.items() if name not in {"ORT_DISABLE_TELEMETRY", "CI"}} | places
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
    assert list(tmp_path.iterdir()) == []
