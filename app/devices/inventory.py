"""What hardware the runtimes can use on this machine, and why not where they cannot; looked for in a child process."""

import os
import platform
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Final

import anyio.to_thread
import msgspec

from app.devices.cuda_driver import count_cuda_devices
from app.devices.nvml import read_gpus
from app.devices.opencv import OpenCVRuntime, build_fact
from app.devices.runtime import Obstacle, Refused, Runtime
from app.devices.runtimes import open_runtime
from app.domain.device import FallbackCode, Target
from app.domain.load import GpuUsage

TIME_LIMIT_S: Final = 60.0  # a driver that hangs must not hang the server's start


class TargetState(msgspec.Struct, frozen=True):
    """Whether networks can run on a target here; where not, a code and a sentence."""

    target: Target
    available: bool
    code: FallbackCode | None
    reason: str


class OpenCV(msgspec.Struct, frozen=True):
    """Facts of the OpenCV that is installed: `distributions` are the packages that brought it (more than one is trouble)."""

    version: str
    distributions: tuple[str, ...]
    cuda: str | None
    parallel: str
    cpu_features: str
    engines: tuple[str, ...]


class OnnxRuntimeHere(msgspec.Struct, frozen=True):
    """Facts of ONNX Runtime: its version (None: not installed) and the targets its networks could run on."""

    version: str | None
    targets: tuple[TargetState, ...]


class Cpu(msgspec.Struct, frozen=True):
    """The processor: `cores` it has, `usable` by this process."""

    name: str
    cores: int
    usable: int


class Inventory(msgspec.Struct, frozen=True):
    """What is here. `targets` are OpenCV's; `cuda_devices` counts the GPUs that CUDA shows to a process here.

    `problem` says why OpenCV's part is missing, where it is.
    """

    cpu: Cpu
    opencv: OpenCV | None
    targets: tuple[TargetState, ...]
    gpus: tuple[GpuUsage, ...] = ()
    cuda_devices: int = 0
    onnx_runtime: OnnxRuntimeHere | None = None
    problem: str | None = None

    def state(self, target: Target) -> TargetState | None:
        """Give the state of one target in OpenCV."""
        return next((state for state in self.targets if state.target is target), None)

    @property
    def cuda_runtimes(self) -> frozenset[str]:
        """Runtimes whose networks can run on CUDA here."""
        onnx = self.onnx_runtime.targets if self.onnx_runtime else ()
        by_runtime = {"opencv": self.targets, "onnxruntime": onnx}
        return frozenset(
            name for name, states in by_runtime.items() if any(s.available and s.target is Target.CUDA for s in states)
        )


def inventory() -> Inventory:
    """Look at this machine, in this process: imports OpenCV and wakes its drivers. Use `take_inventory` in a server."""
    import cv2  # noqa: PLC0415  # a server that takes its inventory in a child never loads OpenCV for it

    build, runtime = cv2.getBuildInformation(), OpenCVRuntime(cv2)
    opencv = OpenCV(
        version=cv2.__version__,
        distributions=tuple(sorted(set(packages_distributions().get("cv2", ())))),
        cuda=build_fact(build, "NVIDIA CUDA"),
        parallel=build_fact(build, "Parallel framework") or "none",
        cpu_features=cv2.getCPUFeaturesLine(),
        engines=tuple(name.removeprefix("ENGINE_").lower() for name in sorted(dir(cv2.dnn)) if name.startswith("ENGINE_")),
    )
    targets = tuple(_state(target, runtime.obstacle(target)) for target in Target)
    devices = count_cuda_devices()
    return Inventory(read_cpu(), opencv, targets, read_gpus(), devices, _onnx_runtime(devices))


async def take_inventory(*, timeout_s: float = TIME_LIMIT_S) -> Inventory:
    """Take the inventory in a child process; a child that dies or hangs is told in `problem`, never raised."""
    command = [sys.executable, "-P", "-m", "app.devices.inventory"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}

    def look() -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command, check=False, stdin=subprocess.DEVNULL, capture_output=True, env=environment, timeout=timeout_s
        )

    try:
        child = await anyio.to_thread.run_sync(look)  # which ends a child that takes too long, whenever that is noticed
        return msgspec.json.decode(child.stdout.splitlines()[-1], type=Inventory)
    except subprocess.TimeoutExpired:
        return _without_opencv(f"Looking at this machine's devices took more than {timeout_s:g} s and was given up.")
    except OSError as error:
        return _without_opencv(f"The process that looks at this machine's devices could not be started: {error}.")
    except (IndexError, msgspec.DecodeError):
        said = child.stderr.decode(errors="replace").strip().splitlines()
        last = said[-1] if said else f"exit code {child.returncode}, nothing said"
        return _without_opencv(f"OpenCV could not be looked at: {last}.")


def read_cpu() -> Cpu:
    """Read the processor's name and cores."""
    name = platform.processor() or platform.machine()
    try:
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
        name = match[1].strip() if match else name
    except OSError:
        pass  # no Linux: the platform's own word stands
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    cores = os.cpu_count() or 1
    return Cpu(name, cores, len(affinity(0)) if affinity else cores)


def _onnx_runtime(devices: int) -> OnnxRuntimeHere:
    try:
        runtime = open_runtime("onnxruntime", 1)
    except Refused as refused:
        return OnnxRuntimeHere(None, tuple(_state(target, refused.obstacle) for target in Target))
    states = tuple(_state(target, _in_onnx_runtime(runtime, target, devices)) for target in Target)
    return OnnxRuntimeHere(runtime.version, states)


def _in_onnx_runtime(runtime: Runtime, target: Target, devices: int) -> Obstacle | None:
    """What ONNX Runtime says, and for CUDA what it finds out only with a network: whether there is a GPU at all."""
    obstacle = runtime.obstacle(target, None)
    if obstacle is None and target is Target.CUDA and devices == 0:
        clause = "ONNX Runtime was built with CUDA, but this machine shows it no NVIDIA GPU"
        return Obstacle(FallbackCode.NO_DEVICE, clause, evidence="the CUDA driver is missing or counts no device")
    return obstacle


def _state(target: Target, obstacle: Obstacle | None) -> TargetState:
    return TargetState(target, obstacle is None, *((obstacle.code, obstacle.sentence) if obstacle else (None, "Ready.")))


def _without_opencv(problem: str) -> Inventory:
    states = tuple(TargetState(target, False, FallbackCode.NO_BACKEND, problem) for target in Target)
    return Inventory(read_cpu(), None, states, problem=problem)


if __name__ == "__main__":
    sys.stdout.buffer.write(b"\n" + msgspec.json.encode(inventory()) + b"\n")
