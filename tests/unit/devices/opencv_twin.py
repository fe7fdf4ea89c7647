"""A stand-in for the module `cv2` that has whatever devices a test wants, and fails where the test wants it to."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

_NUMBERS = {
    "DNN_BACKEND_OPENCV": 3, "DNN_BACKEND_INFERENCE_ENGINE": 2, "DNN_BACKEND_CUDA": 5,
    "DNN_TARGET_CPU": 0, "DNN_TARGET_OPENCL": 1, "DNN_TARGET_CUDA": 6, "DNN_TARGET_CUDA_FP16": 7,
    "ENGINE_CLASSIC": 11, "ENGINE_NEW": 12, "ENGINE_AUTO": 13,
}  # fmt: skip
_BUILD = """
General configuration for OpenCV
  NVIDIA CUDA:                   YES (ver 12.8, CUFFT CUBLAS)
  cuDNN:                         YES (ver 9.7.1)
  OpenCL:                        YES (INTELVA)
  OpenVINO:                      YES (2025.2.0)
"""
EVERYTHING = {"CUDA": ("CUDA", "CUDA_FP16"), "INFERENCE_ENGINE": ("CPU",), "OPENCV": ("OPENCL", "CPU")}


class Raised(Exception):
    """What the stand-in raises, as `cv2.error`."""


@dataclass
class OpenCVTwin:
    """What is here and what goes wrong: `load` and `forward` say by target's name what is raised, `given` what comes out.

    `labels` are the layers' labels in `dump` by target; `says` is printed on standard error by `forward`.
    """

    available: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: EVERYTHING)
    build: str = _BUILD
    devices: int = 1
    open_cl: bool = True
    load: Mapping[str, Exception] = field(default_factory=dict)
    forward: Mapping[str, Exception] = field(default_factory=dict)
    given: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    labels: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    says: Mapping[str, str] = field(default_factory=dict)
    empty: tuple[str, ...] = ()
    engines: tuple[str, ...] = ("ENGINE_CLASSIC", "ENGINE_NEW", "ENGINE_AUTO")

    def __post_init__(self) -> None:
        self.loaded: list[_Net] = []
        self.chosen_gpu: int | None = None
        known = {name: number for name, number in _NUMBERS.items() if not name.startswith("ENGINE") or name in self.engines}
        self.dnn = SimpleNamespace(**known, getAvailableTargets=self._targets, readNetFromONNX=self._read)
        self.cuda = SimpleNamespace(getCudaEnabledDeviceCount=lambda: self.devices, setDevice=self._choose)
        self.ocl = SimpleNamespace(haveOpenCL=lambda: self.open_cl)
        self.error = Raised
        self.__version__ = "5.0.0"

    def getBuildInformation(self) -> str:  # noqa: N802  # OpenCV's name
        return self.build

    def _targets(self, backend: int) -> tuple[int, ...]:
        name = next(name for name, number in _NUMBERS.items() if number == backend and name.startswith("DNN_BACKEND"))
        return tuple(_NUMBERS[f"DNN_TARGET_{target}"] for target in self.available.get(name.removeprefix("DNN_BACKEND_"), ()))

    def _choose(self, ordinal: int) -> None:
        self.chosen_gpu = ordinal

    def _read(self, path: str, engine: int | None = None) -> "_Net":
        name = next((name for name, number in _NUMBERS.items() if number == engine), "default")
        if name in self.load:
            raise self.load[name]
        net = _Net(self, name)
        self.loaded.append(net)
        return net


class _Net:
    def __init__(self, twin: OpenCVTwin, engine: str) -> None:
        self.twin, self.engine = twin, engine
        self.backend, self.target = "OPENCV", "CPU"
        self.blob: np.ndarray | None = None

    @property
    def place(self) -> str:
        """The target as Sightline calls it; on the CPU with the engine's name."""
        if self.backend == "INFERENCE_ENGINE":
            return "openvino"
        return self.target.lower() if self.target != "CPU" else f"cpu {self.engine}"

    def empty(self) -> bool:
        return self.engine in self.twin.empty

    def getUnconnectedOutLayersNames(self) -> tuple[str, ...]:  # noqa: N802  # OpenCV's name
        return ("peak", "mean") if self.engine == "ENGINE_CLASSIC" else ("mean", "peak")

    def setPreferableBackend(self, number: int) -> None:  # noqa: N802  # OpenCV's name
        self.backend = _name("DNN_BACKEND_", number)

    def setPreferableTarget(self, number: int) -> None:  # noqa: N802  # OpenCV's name
        self.target = _name("DNN_TARGET_", number)
        if self.place in self.twin.load:
            raise self.twin.load[self.place]

    def setInput(self, blob: np.ndarray) -> None:  # noqa: N802  # OpenCV's name
        self.blob = blob

    def forward(self, names: tuple[str, ...]) -> list[np.ndarray]:
        if self.place in self.twin.says:
            os.write(2, self.twin.says[self.place].encode())
        if self.place in self.twin.forward:
            raise self.twin.forward[self.place]
        true = {"mean": self.blob.mean((2, 3)), "peak": self.blob.max((2, 3))} | self.twin.given.get(self.place, {})
        return [true[name] for name in names]

    def dump(self) -> str:
        backend = {"CUDA": "CUDA/", "INFERENCE_ENGINE": "OpenVINO/"}.get(self.backend, "OCV/")
        own = backend + {"OPENCL": "OCL"}.get(self.target, self.target)
        layers = self.twin.labels.get(self.place, (("Convolution", own), ("Const", "OCV/CPU"), ("Pooling", own)))
        lines = (
            rf'	"{number}" [label="{number}\n{kind}\ngroup: 1\loutput: [1 x 3]\l{place}\n" shape=box]'
            for number, (kind, place) in enumerate(layers)
        )
        return "digraph G {\n" + "\n".join(lines) + "\n}\n"


def _name(prefix: str, wanted: int) -> str:
    found = next(name for name, number in _NUMBERS.items() if name.startswith(prefix) and number == wanted)
    return found.removeprefix(prefix)
