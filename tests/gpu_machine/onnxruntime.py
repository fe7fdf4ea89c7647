"""Put on PYTHONPATH, an ONNX Runtime that has CUDA: runs each network through OpenCV, and prints where it would have run."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

__version__ = "1.99.0"
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
BROKEN = os.environ.get("TWIN_CUDA", "")


def get_available_providers() -> list[str]:
    """What it was built with."""
    return [CUDA, CPU]


class SessionOptions:
    """Takes whatever is set."""


class InferenceSession:
    """A network; with `TWIN_CUDA=broken`, CUDA raises when it is run; with `broken:1`, on GPU 1 alone."""

    def __init__(self, model: str, _options: SessionOptions, providers: list[Any]) -> None:
        import cv2

        from app.devices.onnx_graph import read_names

        self._names, self._net = read_names(Path(model)), cv2.dnn.readNetFromONNX(model)
        first = providers[0]
        self._provider, place = (first, {}) if isinstance(first, str) else first
        self._gpu = place.get("device_id", "-")
        print(f"twin: {self._provider} {self._gpu} in process {os.getpid()}", flush=True)

    def disable_fallback(self) -> None:
        """It has none."""

    def get_providers(self) -> list[str]:
        """The one asked for, and the CPU."""
        return [self._provider, CPU]

    def get_inputs(self) -> list[Any]:
        """Inputs by name."""
        return [SimpleNamespace(name=name) for name in self._names.inputs]

    def get_outputs(self) -> list[Any]:
        """Outputs by name."""
        return [SimpleNamespace(name=name) for name in self._names.outputs]

    def run(self, names: list[str], given: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Give the outputs asked for."""
        if self._provider == CUDA and BROKEN in ("broken", f"broken:{self._gpu}"):
            raise RuntimeError("CUDA failure 700: an illegal memory access was encountered")
        self._net.setInput(next(iter(given.values())))
        return list(self._net.forward(list(names)))
