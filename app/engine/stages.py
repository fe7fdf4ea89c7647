"""Runs the stages of a pipeline on a frame: timings, soft failures, conditions; the same code wherever plugins run."""

import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter_ns

import msgspec

from app.devices.attach import Attachments
from app.domain.device import DeviceDecision, DeviceRequest
from app.domain.frame import Frame
from app.domain.job import SoftFailureCode
from app.domain.output import OUTPUT_KINDS, Classification, Detections, Output, Text, find_flaw
from app.domain.pipeline import Condition, OnError
from app.domain.plugin import Plugin, PrepareContext
from app.domain.timing import Histogram
from app.engine.messages import FailureTally, StageTally, StageTask
from app.engine.recorder import FIRST_STAGE, PREPARE, Recorder
from app.registry.load import load_plugin

_DETAIL_CHARACTERS = 8000


class RowError(msgspec.Struct, frozen=True):
    """Why a stage gave nothing on a frame, as it stands in the frame's row."""

    stage: str
    code: str
    message: str


class StageFailed(Exception):
    """A stage failed in a way that ends the task; args: code, stage id, message, detail."""

    @property
    def code(self) -> str:
        """`prepare`, `device` or `policy`."""
        return str(self.args[0])


class StageRun:
    """One stage in one worker: its prepared plugin, and what it gathered since it was last asked."""

    def __init__(self, task: StageTask, place: int) -> None:
        self.task = task
        self.id = task.stage.id
        self.place = place
        self.plugin: Plugin | None = None
        self.decision: DeviceDecision | None = None
        self.disabled = False
        self.skips: dict[int, tuple[str, str]] = {}
        self._kind = OUTPUT_KINDS[task.output]
        self._budget_us = task.budget_ms * 1000
        self.clear()

    def clear(self) -> None:
        """Start counting afresh."""
        self.timing = Histogram()
        self.frames = self.soft_failures = self.over_budget = 0
        self.failures: dict[str, FailureTally] = {}

    def prepare(self, threads: int) -> DeviceDecision:
        """Load the plugin's code and prepare it; raise StageFailed where that cannot be done, or not where it must run."""
        folder, stage, request = Path(self.task.folder), self.task.stage, DeviceRequest.parse(self.task.device)
        networks = Attachments(
            request, stage=self.id, devices=self.task.targets, strict=self.task.strict_device,
            runtime=stage.options.get("runtime"), threads=threads,
        )  # fmt: skip
        try:
            plugin = load_plugin(folder, self.task.entry)
            plugin.prepare(PrepareContext(stage.options, folder, request, threads, networks.attach))
        except BaseException as error:  # noqa: BLE001  # the worker's edge: a plugin may raise anything, also SystemExit
            self._refuse_device(networks.refused)
            raise StageFailed("prepare", self.id, describe(error), detail_of(error)) from None
        decision = self.decision = networks.decision()
        self._refuse_device(decision)
        self.plugin = plugin
        return decision

    def _refuse_device(self, decision: DeviceDecision | None) -> None:
        """Raise StageFailed where the stage may only run on what was asked for, and does not."""
        if decision is None:
            return
        self.decision = decision
        if self.task.strict_device and decision.fallback:
            raise StageFailed("device", self.id, decision.reason, None)

    def process(self, frame: Frame) -> Output | RowError:
        """Run the plugin on a frame; give its output, or why there is none."""
        skipped = self.skips.get(frame.index)
        if skipped:
            return self.fail(frame.index, *skipped, None)
        started = perf_counter_ns()
        try:
            output = self.plugin.process_frame(frame)  # type: ignore[union-attr]  # prepared before its first frame
        except BaseException as error:  # noqa: BLE001  # the worker's edge: a plugin may raise anything, also SystemExit
            self._count(started)
            code = SoftFailureCode.MEMORY if isinstance(error, MemoryError) else SoftFailureCode.EXCEPTION
            return self.fail(frame.index, code, describe(error), detail_of(error))
        self._count(started)
        flaw = find_flaw(output)
        if flaw is None and type(output) is not self._kind:
            flaw = f"process_frame gave {type(output).__name__}, but plugin.toml declares {self.task.output}"
        if flaw is not None:
            return self.fail(frame.index, SoftFailureCode.BAD_OUTPUT, flaw, None)
        self.frames += 1
        return output

    def fail(self, index: int, code: str, message: str, detail: str | None) -> RowError:
        """Count a soft failure; the first message and traceback of each code are kept."""
        self.soft_failures += 1
        known = self.failures.get(code)
        if known is None:
            self.failures[code] = FailureTally(self.id, code, message, 1, index, index, detail)
        else:
            self.failures[code] = msgspec.structs.replace(known, count=known.count + 1, last_frame_index=index)
        on_error = self.task.stage.policy.on_error
        if on_error is OnError.FAIL_JOB:
            raise StageFailed("policy", self.id, f"frame {index}: {message}", detail)
        if on_error is OnError.DISABLE_STAGE:
            self.disabled = True
        return RowError(self.id, code, message)

    def tally(self) -> StageTally:
        """What was gathered since the last `clear`."""
        return tally_of(self.id, self.timing, self.frames, self.soft_failures, self.over_budget)

    def _count(self, started: int) -> None:
        took = (perf_counter_ns() - started) // 1000
        self.timing.add(took)
        if took > self._budget_us:
            self.over_budget += 1


class StageSet:
    """All stages of a job in one worker, prepared once and kept from segment to segment."""

    def __init__(self, tasks: Sequence[StageTask], recorder: Recorder) -> None:
        self.runs = [StageRun(task, FIRST_STAGE + number) for number, task in enumerate(tasks)]
        self.next_frame = 0  # the frame a stateful stage must see next
        self._recorder = recorder

    def prepare(self, run: StageRun, threads: int) -> DeviceDecision:
        """Prepare one stage, telling the recorder which."""
        self._recorder.note(run.place - FIRST_STAGE, PREPARE)
        return run.prepare(threads)

    def step_over(self, disabled: Sequence[str], skips: Sequence[tuple[int, str, str, str]]) -> None:
        """Take note of disabled stages and of (frame, stage, code, message) that must not be run."""
        for run in self.runs:
            run.disabled = run.disabled or run.id in disabled
            run.skips = {frame: (code, message) for frame, stage, code, message in skips if stage == run.id}

    def replay_only(self) -> list[StageRun]:
        """Stages that must see earlier frames again: the stateful ones and what they need."""
        wanted: set[str] = set()
        for run in reversed(self.runs):
            if run.task.stateful or run.id in wanted:
                wanted.add(run.id)
                wanted.update(run.task.stage.needs)
                if run.task.stage.when:
                    wanted.add(run.task.stage.when.stage)
        return [run for run in self.runs if run.id in wanted]

    def process(self, bare: Frame, runs: Sequence[StageRun] | None = None) -> tuple[dict[str, Output], list[RowError]]:
        """Run the stages on one frame; a stage that does not run on it is absent from both results."""
        outputs: dict[str, Output] = {}
        errors: list[RowError] = []
        index, note = bare.index, self._recorder.note
        for run in self.runs if runs is None else runs:
            stage = run.task.stage
            if run.disabled or run.plugin is None or (stage.every > 1 and index % stage.every):
                continue
            if stage.when is not None and not holds(stage.when, outputs):
                continue
            frame = bare
            if stage.needs:
                if any(need not in outputs for need in stage.needs):
                    continue
                frame = Frame(bare.pixels, index, bare.t_s, {need: outputs[need] for need in stage.needs})
            note(index, run.place)
            given = run.process(frame)
            if isinstance(given, RowError):
                errors.append(given)
            else:
                outputs[run.id] = given
        return outputs, errors


def holds(condition: Condition, outputs: Mapping[str, Output]) -> bool:
    """Say whether a stage's condition is met by what earlier stages found on the frame."""
    output = outputs.get(condition.stage)
    if output is None:
        return False
    if isinstance(output, Detections):
        found = [(d.label, d.confidence) for d in output.detections]
    elif isinstance(output, Classification):
        found = [(c.label, c.confidence) for c in output.classes]
    elif isinstance(output, Text):
        found = [(b.text, b.confidence) for b in output.blocks]
    else:
        return True
    return any(sure >= condition.min_confidence and condition.label in (None, label) for label, sure in found)


def tally_of(row: str, timing: Histogram, frames: int = 0, soft_failures: int = 0, over_budget: int = 0) -> StageTally:
    """A histogram with its counts, ready to cross to the dispatcher."""
    return StageTally(row, frames, soft_failures, over_budget, timing.buckets, timing.count, timing.total_us, timing.max_us)


def describe(error: BaseException) -> str:
    """An exception in one line."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:300]}" if text else type(error).__name__


def detail_of(error: BaseException) -> str:
    """An exception's traceback, its end kept where it is long."""
    return "".join(traceback.format_exception(error))[-_DETAIL_CHARACTERS:]
