"""Binding a stage's networks to a device: tries the targets in order, and keeps what came of it."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.devices.agreement import find_difference
from app.devices.complaints import overheard
from app.devices.record import Record, decide_without_network, list_names, worst_of
from app.devices.runtime import NAMES, BoundNet, Obstacle, Refused, Runtime
from app.devices.runtimes import open_runtime
from app.domain.device import DeviceDecision, DeviceRequest, FallbackCode, Target
from app.domain.errors import AttachFailed
from app.domain.plugin import Net

_Outputs = Mapping[str, NDArray[Any]]


class Attachments:
    """The networks of one stage in one worker: attaches them, and decides for the stage.

    `devices` are the targets the plugin lists; the CPU is always allowed, last. With `strict` nothing takes the place
    of what was asked for. `runtime` is what the stage's options say, `gpu` the number of the GPU where none is asked for.
    """

    def __init__(
        self,
        request: DeviceRequest,
        *,
        stage: str,
        devices: Collection[str] = (),
        strict: bool = False,
        runtime: str | None = None,
        threads: int = 1,
        gpu: int | None = None,
        open_runtime: Callable[[str, int], Runtime] = open_runtime,
    ) -> None:
        self._request, self._stage, self._strict = request, stage, strict
        self._devices = {Target(device) for device in devices}
        self._ordinal = gpu if request.ordinal is None else request.ordinal
        self._runtime, self._threads, self._open = runtime, threads, open_runtime
        self._decisions: list[DeviceDecision] = []
        self._sealed = False

    @property
    def refused(self) -> DeviceDecision | None:
        """The decision for a network that was not allowed, or not able, to run anywhere; None while there is none."""
        return next((decision for decision in self._decisions if decision.used is None), None)

    def decision(self) -> DeviceDecision:
        """Decide for the stage: the worst of its networks' decisions, the time of all warm-ups."""
        if not self._decisions:
            return decide_without_network(self._request, strict=self._strict)
        worst = worst_of(self._decisions)
        took = [decision.warmup_ms for decision in self._decisions if decision.warmup_ms is not None]
        return msgspec.structs.replace(worst, warmup_ms=round(sum(took), 1) if took else None)

    def attach(self, model: Path, *, sample: NDArray[np.float32], tolerance: float = 0.02, runtime: str | None = None) -> Net:
        """Bind a network, as `app.domain.plugin.Attach` says."""
        if self._sealed:
            reason = "networks are bound in prepare, for where the stage runs is told before its first frame"
            raise AttachFailed(model=Path(model).name, reason=reason)
        record = Record(self._request, self._stage)
        try:
            library = self._open(runtime or self._runtime or "opencv", self._threads)
        except Refused as refused:
            record.failed(self._request.target or Target.CPU, refused.obstacle)
            raise self._refusal(record, model) from refused
        trial = _Trial(library, Path(model), self._ordinal, sample, tolerance)
        for target in self._order(library):
            obstacle = self._not_listed(target) or library.obstacle(target, self._ordinal)
            if obstacle is not None:
                record.absent(target, obstacle)
            else:
                net = self._try(trial, target, record)
                if net is not None:
                    return net
            if self._strict and record.first is not None:
                break
        raise self._refusal(record, model)

    def seal(self) -> None:
        """Refuse every further network: the stage's decision is made."""
        self._sealed = True

    def _try(self, trial: "_Trial", target: Target, record: Record) -> Net | None:
        for engine in trial.library.engines(target):
            try:
                net, note, warmup_ms = trial.make(target, engine)
            except Refused as refused:
                record.failed(target, refused.obstacle)
                continue
            self._decisions.append(record.used(target, note, warmup_ms))
            return net
        return None

    def _refusal(self, record: Record, model: Path) -> AttachFailed:
        decision = record.refused()
        self._decisions.append(decision)
        return AttachFailed(model=Path(model).name, reason=decision.reason.rstrip("."))

    def _not_listed(self, target: Target) -> Obstacle | None:
        if target is Target.CPU or target in self._devices:
            return None
        clause = f"{self._stage}'s plugin does not list {NAMES[target]} among the devices it can use"
        return Obstacle(FallbackCode.NOT_SUPPORTED, clause)

    def _order(self, library: Runtime) -> list[Target]:
        wanted = self._request.target
        if wanted is None:
            return [target for target in Target if target in self._devices or target is Target.CPU]
        order = [wanted]
        if wanted is Target.CUDA_FP16 and library.obstacle(Target.CUDA, self._ordinal) is None:
            order.append(Target.CUDA)  # a GPU without half precision is still a GPU
        return order if wanted is Target.CPU else [*order, Target.CPU]


class _Trial:
    """One network tried on targets, each time loaded afresh: an exception leaves a network unusable."""

    def __init__(
        self, library: Runtime, model: Path, ordinal: int | None, sample: NDArray[np.float32], tolerance: float
    ) -> None:
        self.library = library
        self._model, self._ordinal, self._sample, self._tolerance = model, ordinal, sample, tolerance
        self._expected: _Outputs | str | None = None

    def make(self, target: Target, engine: str) -> tuple[Net, str, float]:
        """Give a warm network, a note on how it runs there, and how many ms its loading and first forward took."""
        begun = perf_counter()
        net, given, said = self._warm(target, engine)
        warmup_ms = round((perf_counter() - begun) * 1000, 1)
        if target is Target.CPU:
            return net, "", warmup_ms
        note = self._examine_placement(net, target, said)
        return net, " ".join(filter(None, (note, self._compare(given, target)))), warmup_ms

    def _warm(self, target: Target, engine: str) -> tuple[BoundNet, _Outputs, list[str]]:
        said: list[str] = []
        try:
            with overheard() as said:
                net = self.library.load(self._model, target, self._ordinal, engine)
                given = net.forward(self._sample)
        except Refused as refused:
            raise Refused(refused.obstacle.with_proof(said)) from refused
        except Exception as error:
            raise Refused(self.library.forward_failed(error, target).with_proof(said)) from error
        return net, given, said

    def _examine_placement(self, net: BoundNet, target: Target, said: list[str]) -> str:
        """Tell of layers that are on the CPU after all; raises Refused where all are."""
        placement = net.placement()
        if placement is None or not placement.on_cpu:
            return ""
        if len(placement.on_cpu) >= placement.layers:
            clause = f"{self.library.title} took the network for {NAMES[target]}, but ran every layer on the CPU"
            raise Refused(Obstacle(FallbackCode.NOT_SUPPORTED, clause, evidence=" | ".join(said)))
        kinds = list_names(sorted(set(placement.on_cpu)))
        return f"{len(placement.on_cpu)} of its {placement.layers} layers ran on the CPU ({kinds})."

    def _compare(self, given: _Outputs, target: Target) -> str:
        """Hold the outputs against the CPU's; raises Refused where they differ."""
        expected = self._on_cpu()
        if isinstance(expected, str):
            return f"Its outputs could not be compared with the CPU's: {expected}"
        difference = find_difference(given, expected, self._tolerance)
        if difference is not None:
            clause = f"The network gave wrong results on {NAMES[target]}, compared with the CPU"
            raise Refused(Obstacle(FallbackCode.WRONG_RESULT, clause, evidence=difference))
        return ""

    def _on_cpu(self) -> _Outputs | str:
        """What the network gives on the CPU, found out once; or why that cannot be known."""
        for engine in () if self._expected is not None else self.library.engines(Target.CPU):
            try:
                _, self._expected, _ = self._warm(Target.CPU, engine)
                break
            except Refused as refused:
                self._expected = refused.obstacle.told
        return self._expected or {}
