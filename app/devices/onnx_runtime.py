"""ONNX Runtime as a second runtime for networks: the only file that imports it, and only when a stage asks for it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.devices.complaints import overheard
from app.devices.runtime import NAMES, Obstacle, Placement, Refused, obstacle_of
from app.domain.device import FallbackCode, Target

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PROVIDERS: Final = {
    Target.CUDA: "CUDAExecutionProvider", Target.OPENVINO: "OpenVINOExecutionProvider", Target.CPU: "CPUExecutionProvider",
}  # fmt: skip
_PACKAGES: Final = {Target.CUDA: "onnxruntime-gpu", Target.OPENVINO: "onnxruntime-openvino"}
_MISSING_LIBRARY: Final = ("cannot open shared object", "failed to load library", "error loading")
_ENGINE: Final = "default"


def import_onnxruntime() -> Any:
    """Import the library; raises ImportError where it is not installed.

    Its packages tell their maker of every process that imports them, unless the environment says no: we say it, and leave
    what a person says there alone.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime  # noqa: PLC0415  # optional, and heavy: a worker takes it in only when a stage asks for it

    return onnxruntime


class OnnxRuntime:
    """Networks through `onnxruntime`; the module is handed in so that a test may hand in another."""

    title = "ONNX Runtime"

    def __init__(self, module: Any, threads: int = 1) -> None:
        self._ort, self._threads = module, threads

    @property
    def version(self) -> str:
        """ONNX Runtime's version."""
        return str(self._ort.__version__)

    def obstacle(self, target: Target, ordinal: int | None = None) -> Obstacle | None:
        """Say why the target is not here: `get_available_providers` is what the package was built with."""
        if target is Target.CUDA_FP16:
            clause = "ONNX Runtime takes the precision from the model file and cannot be asked for half of it"
            return Obstacle(FallbackCode.NOT_SUPPORTED, clause, "ask for cuda")
        if target is Target.OPENCL:
            return Obstacle(FallbackCode.NO_BACKEND, "ONNX Runtime has no OpenCL")
        available = self._ort.get_available_providers()
        if _PROVIDERS[target] in available:
            return None
        proof = f"get_available_providers() = {', '.join(available)}"
        clause = f"ONNX Runtime here was built without {NAMES[target]} (the package {_PACKAGES[target]} has it)"
        return Obstacle(FallbackCode.NOT_BUILT, clause, evidence=proof)

    def engines(self, target: Target) -> tuple[str, ...]:
        """ONNX Runtime has one engine."""
        return (_ENGINE,)

    def load(self, model: Path, target: Target, ordinal: int | None, engine: str) -> "OnnxRuntimeNet":
        """Load a model for a target; raises Refused, also where ONNX Runtime went to the CPU by itself."""
        provider = _PROVIDERS[target]
        options = self._ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self._threads, 1
        place = {"device_id": str(ordinal)} if ordinal is not None and target is Target.CUDA else {}
        wanted = [(provider, place)] if target is Target.CPU else [(provider, place), _PROVIDERS[Target.CPU]]
        try:
            with overheard() as said:
                if target is Target.CUDA and hasattr(self._ort, "preload_dlls"):
                    self._ort.preload_dlls()  # finds the CUDA libraries that came as Python packages
                session = self._ort.InferenceSession(str(model), options, providers=wanted)
                session.disable_fallback()
        except Exception as error:
            doing = f"ONNX Runtime could not load {model.name} for {NAMES[target]}"
            raise Refused(obstacle_of(error, FallbackCode.LOAD_FAILED, doing)) from error
        if provider not in session.get_providers():
            raise Refused(_left_out(target, said))
        return OnnxRuntimeNet(session)

    def forward_failed(self, error: Exception, target: Target) -> Obstacle:
        """Read an exception of `forward`."""
        return obstacle_of(error, FallbackCode.FORWARD_FAILED, f"ONNX Runtime could not run the network on {NAMES[target]}")


class OnnxRuntimeNet:
    """A network that ONNX Runtime has loaded for a target."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.input_names: tuple[str, ...] = tuple(given.name for given in session.get_inputs())
        self.output_names: tuple[str, ...] = tuple(output.name for output in session.get_outputs())

    def forward(self, blob: "NDArray[np.float32]") -> "Mapping[str, NDArray[Any]]":
        """Run the network; outputs by name."""
        given = self._session.run(self.output_names, {self.input_names[0]: blob})
        return dict(zip(self.output_names, given, strict=True))

    def placement(self) -> Placement | None:
        """ONNX Runtime does not tell where its nodes run."""
        return None


def _left_out(target: Target, said: list[str]) -> Obstacle:
    """Say why ONNX Runtime left a provider out that it was built with; it tells only on standard error."""
    words = " | ".join(said) or "nothing was printed"
    found = obstacle_of(RuntimeError(words), FallbackCode.NO_BACKEND, "")
    code = FallbackCode.NO_BACKEND if any(sign in words.lower() for sign in _MISSING_LIBRARY) else found.code
    why = {
        FallbackCode.NO_BACKEND: f"the libraries that {NAMES[target]} needs are missing or do not fit",
        FallbackCode.NO_DRIVER: "the driver is missing or too old",
        FallbackCode.NO_DEVICE: "this machine shows it no such device",
    }.get(code, "it went to the CPU by itself")
    return Obstacle(code, f"ONNX Runtime was built with {NAMES[target]}, but {why}", evidence=words)
