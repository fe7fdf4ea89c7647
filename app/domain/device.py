"""Which hardware was asked for, what was tried, and what really ran."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import msgspec

from app.domain.errors import BadDevice


class Target(StrEnum):
    """Where a network can run, best first, as OpenCV names its targets."""

    CUDA_FP16 = "cuda_fp16"
    CUDA = "cuda"
    OPENVINO = "openvino"
    OPENCL = "opencl"
    CPU = "cpu"


class FallbackCode(StrEnum):
    """Why a target was not used."""

    NOT_BUILT = "not_built"
    NO_DRIVER = "no_driver"
    NO_DEVICE = "no_device"
    NO_BACKEND = "no_backend"
    NOT_SUPPORTED = "not_supported"
    LOAD_FAILED = "load_failed"
    FORWARD_FAILED = "forward_failed"
    OUT_OF_MEMORY = "out_of_memory"
    WRONG_RESULT = "wrong_result"
    NOT_APPLICABLE = "not_applicable"


class AttemptOutcome(StrEnum):
    """What came of trying a target."""

    USED = "used"
    FAILED = "failed"
    SKIPPED = "skipped"


_REQUEST = re.compile(r"auto|cpu|opencl|openvino|cuda_fp16|cuda(:(?P<ordinal>0|[1-9][0-9]?))?")


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """What a person asked for: `auto`, or one target, with a device number for CUDA where given."""

    target: Target | None
    ordinal: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `auto|cuda|cuda:N|cuda_fp16|openvino|opencl|cpu`; raise BadDevice for anything else."""
        match = _REQUEST.fullmatch(text)
        if not match:
            raise BadDevice(device=text)
        ordinal = match["ordinal"]
        if text == "auto":
            return cls(None)
        return cls(Target(text.partition(":")[0]), None if ordinal is None else int(ordinal))

    def __str__(self) -> str:
        if self.target is None:
            return "auto"
        return self.target.value if self.ordinal is None else f"{self.target.value}:{self.ordinal}"


class DeviceAttempt(msgspec.Struct, frozen=True):
    """One target tried: what came of it, with a code and a sentence when it was not used."""

    target: Target
    outcome: AttemptOutcome
    code: FallbackCode | None
    reason: str


class DeviceDecision(msgspec.Struct, frozen=True):
    """Where a stage ran and why: the request, each target tried in order, and the one used (None: nothing could run)."""

    requested: str
    used: Target | None
    fallback: bool
    code: FallbackCode | None
    reason: str
    attempts: tuple[DeviceAttempt, ...]
    warmup_ms: float | None


EXAMPLE_DECISION = DeviceDecision(
    requested="cuda",
    used=Target.CPU,
    fallback=True,
    code=FallbackCode.NOT_BUILT,
    reason="OpenCV here was built without CUDA, so the stage ran on the CPU.",
    attempts=(
        DeviceAttempt(Target.CUDA, AttemptOutcome.FAILED, FallbackCode.NOT_BUILT, "OpenCV here was built without CUDA."),
        DeviceAttempt(Target.CPU, AttemptOutcome.USED, None, "The network ran on the CPU."),
    ),
    warmup_ms=12.5,
)
