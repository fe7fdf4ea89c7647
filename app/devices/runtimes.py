"""The runtimes that can be asked for by name: OpenCV, which is always here, and ONNX Runtime, where it is installed."""

from importlib.util import find_spec
from typing import Final

from app.devices.onnx_runtime import OnnxRuntime, import_onnxruntime
from app.devices.opencv import OpenCVRuntime
from app.devices.runtime import Obstacle, Refused, Runtime
from app.domain.device import FallbackCode

RUNTIMES: Final = ("opencv", "onnxruntime")
_CURE: Final = "install it with: pip install 'sightline[onnxruntime]'"


def missing_runtime(name: object) -> Obstacle | None:
    """Say why a known runtime cannot be used, without loading it; None where it is installed, or is none of ours."""
    return None if name != "onnxruntime" or find_spec(name) else _not_installed()


def open_runtime(name: str, threads: int) -> Runtime:
    """Give a runtime by name; raises Refused where there is none of that name or it is not installed."""
    if name == "opencv":
        import cv2  # noqa: PLC0415  # the server knows the names of runtimes and never loads one

        return OpenCVRuntime(cv2)
    if name == "onnxruntime":
        try:
            return OnnxRuntime(import_onnxruntime(), threads)
        except ImportError as error:
            raise Refused(_not_installed(str(error))) from error
    raise Refused(Obstacle(FallbackCode.NO_BACKEND, f"There is no runtime {name!r}; the known ones are {', '.join(RUNTIMES)}"))


def _not_installed(evidence: str = "") -> Obstacle:
    return Obstacle(FallbackCode.NO_BACKEND, "ONNX Runtime is not installed here", _CURE, evidence)
