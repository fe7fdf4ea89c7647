"""What a library that runs networks must offer so that a network can be attached through it, and how it says no."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple, Protocol, Self

from app.domain.device import FallbackCode, Target
from app.domain.plugin import Net

NAMES: Final = {
    Target.CUDA_FP16: "CUDA in half precision", Target.CUDA: "CUDA", Target.OPENVINO: "OpenVINO", Target.OPENCL: "OpenCL",
    Target.CPU: "the CPU",
}  # fmt: skip
_SIGNS: Final = (  # words of CUDA, cuDNN, OpenCV and ONNX Runtime in an exception, most telling first
    ("driver version is insufficient", FallbackCode.NO_DRIVER),
    ("insufficient driver", FallbackCode.NO_DRIVER),
    ("driver not loaded", FallbackCode.NO_DRIVER),
    ("no cuda-capable device", FallbackCode.NO_DEVICE),
    ("invalid device ordinal", FallbackCode.NO_DEVICE),
    ("out of memory", FallbackCode.OUT_OF_MEMORY),
    ("out_of_memory", FallbackCode.OUT_OF_MEMORY),
    ("cudaerrormemoryallocation", FallbackCode.OUT_OF_MEMORY),
    ("insufficient memory", FallbackCode.OUT_OF_MEMORY),
    ("failed to allocate", FallbackCode.OUT_OF_MEMORY),
    ("alloc_failed", FallbackCode.OUT_OF_MEMORY),
    ("no kernel image is available", FallbackCode.NOT_SUPPORTED),
    ("not implemented", FallbackCode.NOT_SUPPORTED),
    ("not_implemented", FallbackCode.NOT_SUPPORTED),
    ("unsupported", FallbackCode.NOT_SUPPORTED),
)
_SAID: Final = {
    FallbackCode.NO_DRIVER: "the driver is missing or too old",
    FallbackCode.NO_DEVICE: "there is no such device",
    FallbackCode.NO_BACKEND: "the libraries it needs are missing",
    FallbackCode.OUT_OF_MEMORY: "there was not enough memory for it",
    FallbackCode.NOT_SUPPORTED: "it cannot run this network there",
}
_LONGEST_EVIDENCE: Final = 600


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a target cannot be used: a code, a clause without a full stop, what to do, and the words that prove it."""

    code: FallbackCode
    clause: str
    cure: str = ""
    evidence: str = ""

    @property
    def sentence(self) -> str:
        """The clause as a sentence, with the cure where there is one."""
        return f"{self.clause}; {self.cure}." if self.cure else f"{self.clause}."

    @property
    def told(self) -> str:
        """The sentence, and what proves it."""
        return f"{self.sentence} Evidence: {shorten(self.evidence)}" if self.evidence else self.sentence

    def with_proof(self, said: Iterable[str]) -> Self:
        """The same, with what was printed meanwhile as further evidence."""
        return replace(self, evidence=" | ".join(filter(None, (self.evidence, *said))))


class Refused(Exception):
    """A target was tried and does not do; its one argument is the Obstacle."""

    @property
    def obstacle(self) -> Obstacle:
        """Why."""
        return self.args[0]  # type: ignore[no-any-return]  # an exception's arguments are untyped


class Placement(NamedTuple):
    """Where a network's layers run: how many there are, and the kinds of those that are on the CPU after all."""

    layers: int
    on_cpu: tuple[str, ...]


class BoundNet(Net, Protocol):
    """A network that a runtime has loaded for a target."""

    def placement(self) -> Placement | None:
        """Say where the layers run, after a forward; None where the runtime does not tell."""


class Runtime(Protocol):
    """A library that runs networks: the one place where it is asked what it can do, and told to do it."""

    title: str

    @property
    def version(self) -> str:
        """The library's version."""

    def obstacle(self, target: Target, ordinal: int | None) -> Obstacle | None:
        """Say why the target is not here, None where it is. Tries no network."""

    def engines(self, target: Target) -> tuple[str, ...]:
        """Name the library's engines that can run networks on the target, best first."""

    def load(self, model: Path, target: Target, ordinal: int | None, engine: str) -> BoundNet:
        """Load the ONNX file for the target; raises Refused."""

    def forward_failed(self, error: Exception, target: Target) -> Obstacle:
        """Say what an exception of `forward` means."""


def obstacle_of(error: Exception, code: FallbackCode, doing: str) -> Obstacle:
    """Read an exception: `code` unless its words tell more. `doing` completes 'OpenCV failed to …'."""
    text = one_line(str(error)) or type(error).__name__
    lower = text.lower()
    told = next((known for sign, known in _SIGNS if sign in lower), code)
    if isinstance(error, MemoryError):
        told = FallbackCode.OUT_OF_MEMORY
    if code is FallbackCode.LOAD_FAILED and told is FallbackCode.NOT_SUPPORTED:
        told = code  # what cannot be read cannot be read on any target
    because = f": {_SAID[told]}" if told in _SAID else ""
    return Obstacle(told, f"{doing}{because}", evidence=f"{type(error).__name__}: {text}")


def one_line(text: str) -> str:
    """Text with its line ends and runs of spaces made into single spaces."""
    return " ".join(text.split())


def shorten(text: str) -> str:
    """Evidence at a length that a page can show; its beginning is kept."""
    return text if len(text) <= _LONGEST_EVIDENCE else f"{text[: _LONGEST_EVIDENCE - 1]}…"
