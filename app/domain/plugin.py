"""What a plugin declares and what it must be able to do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from app.domain.device import DeviceRequest, Target
from app.domain.errors import AttachFailed
from app.domain.finding import Finding
from app.domain.frame import Frame
from app.domain.output import TRACKS, Output

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Summary = Mapping[str, Any]


class Capability(StrEnum):
    """What a plugin does with a frame."""

    DETECT = "detect"
    CLASSIFY = "classify"
    SEGMENT = "segment"
    TRACK = "track"
    READ_TEXT = "read-text"
    KEYPOINTS = "keypoints"
    MEASURE = "measure"


class OptionType(StrEnum):
    """Types an option may have; each has its form control."""

    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    STRING = "string"
    CHOICE = "choice"
    STRINGS = "strings"
    MODEL = "model"  # a known model's name, or a model file of this machine; the plugin is given the file's path


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """One option of a plugin: its type, default, limits, and the words of its form field."""

    name: str
    type: OptionType
    default: Any
    title: str
    help: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file a plugin needs: where it lies in the plugin's models folder, and where it can be had."""

    file: str
    sha256: str
    size: int
    url: str
    license: str

    @property
    def name(self) -> str:
        """What a person calls the model: its file without the suffix."""
        return Path(self.file).stem


@dataclass(frozen=True, slots=True)
class PluginMetadata:
    """What a plugin declares in plugin.toml, read without importing it. `latency_budget_ms` is per frame.

    `needs_outputs` names what it reads of earlier stages: kinds of output, or `tracks` (detections with track ids).
    """

    id: str
    name: str
    version: str
    description: str
    author: str
    license: str
    entry: str
    capabilities: tuple[Capability, ...]
    output: str
    latency_budget_ms: float
    stateful: bool = False
    needs_pixels: bool = True
    warmup_frames: int | None = None
    needs_outputs: tuple[str, ...] = ()
    devices: tuple[Target, ...] = (Target.CPU,)
    options: tuple[OptionSpec, ...] = ()
    models: tuple[ModelFile, ...] = ()

    @property
    def gives(self) -> frozenset[str]:
        """What other plugins may read of it: its kind of output, and `tracks` where it tracks."""
        return frozenset({self.output, TRACKS} if Capability.TRACK in self.capabilities else {self.output})

    def defaults(self) -> dict[str, Any]:
        """Every option at its default."""
        return {option.name: option.default for option in self.options}


class Net(Protocol):
    """A network bound to a target, warm, ready for frames."""

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs, as the model file has them."""

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs; their order means nothing, it differs between runtimes."""

    def forward(self, blob: "NDArray[np.float32]") -> "Mapping[str, NDArray[Any]]":
        """Run the network on one NCHW blob, given to its first input; gives its outputs by name."""


class Attach(Protocol):
    """Binds a model to the best device allowed, and writes the decision down."""

    def __call__(
        self, model: Path, *, sample: "NDArray[np.float32]", tolerance: float = 0.02, runtime: str | None = None
    ) -> Net:
        """Bind the ONNX file `model`, warm it up on `sample` (NCHW, float32), and give the net.

        A target whose outputs on `sample` differ from the CPU's by more than `tolerance` (|a - b| ≤ tolerance · (1 + |b|),
        for each number) is not used. `runtime` is `opencv` or `onnxruntime`; None takes the stage's option `runtime`,
        else `opencv`. Raises AttachFailed where the model can run nowhere, or not where it alone is allowed to run.
        """


def _attach_nothing(model: Path, *, sample: "NDArray[np.float32]", tolerance: float = 0.02, runtime: str | None = None) -> Net:
    raise AttachFailed(model=model.name, reason="this PrepareContext was made without a way to bind networks to a device")


@dataclass(frozen=True, slots=True)
class PrepareContext:
    """What a plugin is given once, before its first frame.

    `options` holds every declared option (one of type model is the path of its file, or empty), `folder` is the plugin's own
    folder, `device` what was asked for, `threads` how many threads the plugin may use, `attach` binds a network to a device.
    """

    options: Mapping[str, Any]
    folder: Path
    device: DeviceRequest
    threads: int = 1
    attach: Attach = _attach_nothing


@dataclass(frozen=True, slots=True)
class FrameOutput:
    """A committed output of the stage, as `finalize` reads it back."""

    frame_index: int
    t_s: float | None
    output: Output


@dataclass(frozen=True, slots=True)
class FoundPlugin:
    """A plugin found on this machine: its metadata, or the reason why it cannot be used; and what the rules found."""

    id: str
    origin: str
    folder: Path
    metadata: PluginMetadata | None
    reason: str | None = None
    findings: tuple[Finding, ...] = field(default=())

    @property
    def broken(self) -> bool:
        """Say whether the plugin cannot be used."""
        return self.metadata is None


class Plugin(Protocol):
    """Code that turns a frame into a typed output."""

    def prepare(self, context: PrepareContext) -> None:
        """Load, attach to a device, warm up: once per instance."""

    def process_frame(self, frame: Frame) -> Output:
        """Give the typed output for one frame; may read what the stages it needs gave, in `frame.outputs`."""

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Sum up every committed output of the stage, in frame order; may be computed again after a crash."""
