"""OpenCV 4.11 to 5.x as a runtime for networks: everything Sightline asks of `cv2.dnn`, `cv2.cuda` and `cv2.ocl`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.devices.onnx_graph import GraphNames, read_names
from app.devices.runtime import NAMES, Obstacle, Placement, Refused, obstacle_of
from app.domain.device import FallbackCode, Target

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BACKENDS: Final = {  # backend and target by OpenCV's names; its numbers differ between versions
    Target.CUDA_FP16: ("CUDA", "CUDA_FP16"),
    Target.CUDA: ("CUDA", "CUDA"),
    Target.OPENVINO: ("INFERENCE_ENGINE", "CPU"),
    Target.OPENCL: ("OPENCV", "OPENCL"),
    Target.CPU: ("OPENCV", "CPU"),
}
_NO_WORK: Final = {"Const", "Identity", "Input", "__NetInputLayer__"}  # layers that compute nothing, wherever they are
_LABEL = re.compile(r'label="([^"]*)"')
_DEFAULT: Final = "default"


class OpenCVRuntime:
    """Networks through `cv2.dnn`; `cv2` is the module, handed in so that a test may hand in another."""

    title = "OpenCV"

    def __init__(self, cv2: Any) -> None:
        self._cv2 = cv2
        self._dnn = cv2.dnn

    def obstacle(self, target: Target, ordinal: int | None = None) -> Obstacle | None:
        """Say why the target is not here: `getAvailableTargets` is decisive, the reasons are looked for after it."""
        backend, wanted = _BACKENDS[target]
        if target is Target.CPU:
            return None
        available = self._available(backend)
        if target in (Target.CUDA, Target.CUDA_FP16):
            return self._cuda_obstacle(target, ordinal, available)
        if target is Target.OPENCL:
            found = self._cv2.ocl.haveOpenCL()
            if wanted in available and found:
                return None
            return explain_opencl(opencl_line=build_fact(self._build(), "OpenCL"), runtime=found)
        return None if wanted in available else explain_openvino(openvino_line=build_fact(self._build(), "OpenVINO"))

    def engines(self, target: Target) -> tuple[str, ...]:
        """Name the engines to try: on the CPU AUTO (which takes the new one), then CLASSIC; elsewhere CLASSIC alone."""
        wanted = ("ENGINE_AUTO", "ENGINE_CLASSIC") if target is Target.CPU else ("ENGINE_CLASSIC",)
        return tuple(name for name in wanted if hasattr(self._dnn, name)) or (_DEFAULT,)  # 4.x has one engine and no names

    def load(self, model: Path, target: Target, ordinal: int | None, engine: str) -> "OpenCVNet":
        """Load a model for a target; raises Refused."""
        doing = f"OpenCV could not load {model.name} for {NAMES[target]}"
        try:
            names = read_names(model)
            number = getattr(self._dnn, engine, None)
            read = self._dnn.readNetFromONNX
            net = read(str(model)) if number is None else read(str(model), number)
            if net.empty():  # some engines give an empty net where others raise
                raise ValueError("OpenCV gave an empty network and no error")
            backend, wanted = _BACKENDS[target]
            if target is not Target.CPU:
                net.setPreferableBackend(getattr(self._dnn, f"DNN_BACKEND_{backend}"))
                net.setPreferableTarget(getattr(self._dnn, f"DNN_TARGET_{wanted}"))
            if ordinal is not None and backend == "CUDA":
                self._cv2.cuda.setDevice(ordinal)
        except Exception as error:
            raise Refused(obstacle_of(error, FallbackCode.LOAD_FAILED, doing)) from error
        return OpenCVNet(net, names, target)

    def forward_failed(self, error: Exception, target: Target) -> Obstacle:
        """Read an exception of `forward`."""
        return obstacle_of(error, FallbackCode.FORWARD_FAILED, f"OpenCV could not run the network on {NAMES[target]}")

    @property
    def version(self) -> str:
        """OpenCV's version."""
        return str(self._cv2.__version__)

    def _cuda_obstacle(self, target: Target, ordinal: int | None, available: set[str]) -> Obstacle | None:
        if "CUDA" not in available:
            return explain_cuda(cuda_line=build_fact(self._build(), "NVIDIA CUDA"), devices=self._cuda_devices())
        if target is Target.CUDA_FP16 and "CUDA_FP16" not in available:
            proof = "DNN_TARGET_CUDA_FP16 is not among the available targets"
            clause = "The GPU here runs OpenCV's networks, but not in half precision"
            return Obstacle(FallbackCode.NOT_SUPPORTED, clause, evidence=proof)
        devices = self._cuda_devices()
        if ordinal is not None and ordinal >= devices:
            proof = f"getCudaEnabledDeviceCount() = {devices}"
            return Obstacle(FallbackCode.NO_DEVICE, f"There is no GPU number {ordinal} here", evidence=proof)
        return None

    def _cuda_devices(self) -> int:
        """Count CUDA devices; -1 for a driver that is missing or too old. CPU builds count none, or raise."""
        try:
            return int(self._cv2.cuda.getCudaEnabledDeviceCount())
        except (AttributeError, self._cv2.error):
            return 0

    def _available(self, backend: str) -> set[str]:
        """Names of the targets a backend has; none where this OpenCV does not know the backend."""
        number = getattr(self._dnn, f"DNN_BACKEND_{backend}", None)
        if number is None:
            return set()
        found = {int(target) for target in self._dnn.getAvailableTargets(number)}
        prefix = "DNN_TARGET_"
        return {
            name.removeprefix(prefix) for name in dir(self._dnn)
            if name.startswith(prefix) and getattr(self._dnn, name) in found
        }  # fmt: skip

    def _build(self) -> str:
        return str(self._cv2.getBuildInformation())


class OpenCVNet:
    """A network that OpenCV has loaded for a target."""

    def __init__(self, net: Any, names: GraphNames, target: Target) -> None:
        self._net, self._target = net, target
        self._asked: tuple[str, ...] = tuple(net.getUnconnectedOutLayersNames())
        one = len(names.outputs) == 1 == len(self._asked)  # an engine may give the layer's name where the file has the output's
        self.input_names = names.inputs
        self.output_names = names.outputs if one else self._asked

    def forward(self, blob: "NDArray[np.float32]") -> "Mapping[str, NDArray[Any]]":
        """Run the network; outputs by name, for their order differs between engines."""
        if len(self.input_names) > 1:
            self._net.setInput(blob, self.input_names[0])
        else:
            self._net.setInput(blob)
        return dict(zip(self.output_names, self._net.forward(self._asked), strict=True))

    def placement(self) -> Placement | None:
        """Read where each layer runs from `dump`, which labels it; None for the CPU, and where OpenCV gives no labels."""
        if self._target is Target.CPU:
            return None
        labels = [label.split(r"\n") for label in _LABEL.findall(self._net.dump())]
        layers = [(parts[1], parts[-2].rsplit(r"\l", 1)[-1]) for parts in labels if len(parts) >= 3 and "/" in parts[-2]]
        working = [(kind, place) for kind, place in layers if kind not in _NO_WORK]
        if not working:
            return None
        if self._target is Target.OPENCL:
            on_cpu = tuple(kind for kind, place in working if place.endswith("/CPU"))
        else:  # a layer without a backend of its own is labelled OCV/, whatever target was asked for
            on_cpu = tuple(kind for kind, place in working if place.startswith("OCV/"))
        return Placement(len(working), on_cpu)


def explain_cuda(*, cuda_line: str | None, devices: int) -> Obstacle:
    """Say why OpenCV's networks have no CUDA here, from its build's `NVIDIA CUDA` line and the number of devices it counts.

    The count is that of `cv2.cuda.getCudaEnabledDeviceCount()`: -1 for a driver that is missing or too old.
    """
    said = "has no line 'NVIDIA CUDA:'" if cuda_line is None else f"says 'NVIDIA CUDA: {cuda_line}'"
    build = f"getAvailableTargets(DNN_BACKEND_CUDA) is empty; OpenCV's build information {said}"
    if cuda_line is None or cuda_line.upper().startswith("NO"):
        clause = "OpenCV here was built without CUDA (no wheel on PyPI has it)"
        return Obstacle(FallbackCode.NOT_BUILT, clause, "a build of your own is needed to use an NVIDIA GPU", build)
    proof = f"{build}; getCudaEnabledDeviceCount() = {devices}"
    if devices < 0:
        clause = "OpenCV was built with CUDA, but the NVIDIA driver is missing or too old for it"
        return Obstacle(FallbackCode.NO_DRIVER, clause, evidence=proof)
    if devices == 0:
        clause = "OpenCV was built with CUDA, but this machine shows it no NVIDIA GPU"
        return Obstacle(FallbackCode.NO_DEVICE, clause, evidence=proof)
    clause = "OpenCV sees an NVIDIA GPU, but its dnn module was built without cuDNN"
    return Obstacle(FallbackCode.NO_BACKEND, clause, evidence=proof)


def explain_opencl(*, opencl_line: str | None, runtime: bool) -> Obstacle:
    """Say why OpenCV's networks have no OpenCL here, from its build's `OpenCL` line and whether a runtime was found."""
    said = "has no line 'OpenCL:'" if opencl_line is None else f"says 'OpenCL: {opencl_line}'"
    proof = f"OpenCV's build information {said}; ocl.haveOpenCL() = {runtime}"
    if opencl_line is None or opencl_line.upper().startswith("NO"):
        return Obstacle(FallbackCode.NOT_BUILT, "OpenCV here was built without OpenCL", evidence=proof)
    if not runtime:
        clause = "OpenCV was built with OpenCL, but no OpenCL driver (ICD) is installed here"
        return Obstacle(FallbackCode.NO_DRIVER, clause, evidence=proof)
    clause = "An OpenCL driver is installed, but it shows OpenCV no device that its networks can use"
    return Obstacle(FallbackCode.NO_DEVICE, clause, evidence=proof)


def explain_openvino(*, openvino_line: str | None) -> Obstacle:
    """Say why OpenCV's networks have no OpenVINO here, from its build's `OpenVINO` line."""
    said = "has no line 'OpenVINO:'" if openvino_line is None else f"says 'OpenVINO: {openvino_line}'"
    proof = f"getAvailableTargets(DNN_BACKEND_INFERENCE_ENGINE) is empty; OpenCV's build information {said}"
    if openvino_line is None or openvino_line.upper().startswith("NO"):
        return Obstacle(FallbackCode.NOT_BUILT, "OpenCV here was built without OpenVINO", evidence=proof)
    return Obstacle(FallbackCode.NO_BACKEND, "OpenCV was built with OpenVINO, but its libraries are not here", evidence=proof)


def build_fact(build: str, name: str) -> str | None:
    """Give what `cv2.getBuildInformation()` says after `name:`, None where there is no such line."""
    match = re.search(rf"^\s*{re.escape(name)}:[ \t]*(\S.*?)\s*$", build, re.MULTILINE)
    return match[1] if match else None
