"""Which workers may run a job's stages where those can end on a GPU: so many to each GPU, spread over all of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from app.domain.device import DeviceRequest, Target
from app.engine.tasks import StageTask

ON_CUDA: Final = frozenset({Target.CUDA, Target.CUDA_FP16})


@dataclass(frozen=True, slots=True)
class Gpus:
    """GPUs that CUDA shows here, how many workers may use each, and the runtimes that have CUDA.

    A process that has used a GPU holds a CUDA context of some hundred MB until it ends: so the workers that use GPUs are
    the same ones for every job. Workers are numbered from 1, GPUs from 0.
    """

    devices: int = 0
    workers_each: int = 2
    runtimes: frozenset[str] = frozenset()

    def home(self, worker: int) -> int | None:
        """Give the GPU a worker uses where a stage names none; None: it is to use no GPU."""
        place = worker - 1
        return place % self.devices if place < self.devices * self.workers_each else None

    def workers_for(self, stages: Iterable[StageTask], slots: int) -> frozenset[int] | None:
        """Give the workers of `slots` that may run these stages; None: all of them, since no stage can end on a GPU."""
        requests = [DeviceRequest.parse(stage.device) for stage in stages if self._can_take(stage)]
        if not requests:
            return None
        housed = [worker for worker in range(1, slots + 1) if self.home(worker) is not None]
        named = next((request.ordinal for request in requests if request.ordinal is not None), None)
        if named is None:
            return frozenset(housed)
        there = [worker for worker in housed if self.home(worker) == named]
        return frozenset(there or housed[: self.workers_each])  # a pool too small for every GPU serves a named one too

    def _can_take(self, stage: StageTask) -> bool:
        ordinal = DeviceRequest.parse(stage.device).ordinal
        runtime = stage.stage.options.get("runtime") or "opencv"
        return wants_gpu(stage) and runtime in self.runtimes and (ordinal or 0) < self.devices


def wants_gpu(stage: StageTask) -> bool:
    """Say whether a stage would run on a GPU if there were one for it: its plugin lists CUDA, and CUDA may be taken."""
    return DeviceRequest.parse(stage.device).target in ON_CUDA | {None} and not ON_CUDA.isdisjoint(stage.targets)
