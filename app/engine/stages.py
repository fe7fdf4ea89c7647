"""Runs the stages of a pipeline on a frame: timings, soft failures, conditions; the same code wherever plugins run."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter_ns

import msgspec

from app.devices.attach import Attachments
from app.domain.device import DeviceDecision, DeviceRequest
from app.domain.frame import Frame, FrameWithoutPixels
from app.domain.job import SoftFailureCode, WarningCode
from app.domain.output import OUTPUT_KINDS, Output, find_flaw
from app.domain.pipeline import OnError
from app.domain.plugin import Plugin, PrepareContext
from app.domain.timing import Histogram
from app.engine.memory import crowded, ran_out
from app.engine.messages import FailureTally, StageTally
from app.engine.recorder import FIRST_STAGE, PREPARE, Recorder
from app.engine.tasks import Skip, StageTask
from app.engine.trouble import describe, detail_of
from app.registry.load import load_plugin


def nowhere(place: int, microseconds: int) -> None:
    """Where timings go while nobody keeps them."""


class RowError(msgspec.Struct, frozen=True):
    """Why a stage gave nothing on a frame, as it stands in the frame's row."""

    stage: str
    code: str
    message: str


class StageFailed(Exception):
    """A stage failed in a way that ends the task; args: code, stage id, message, detail."""

    @property
    def code(self) -> str:
        """`prepare`, `device`, `policy`, `state` or `stream`."""
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
        self.skips: dict[int, Skip] = {}
        self.took: Callable[[int, int], None] = nowhere
        self._kind = OUTPUT_KINDS[task.output]
        self._budget_us = task.budget_ms * 1000
        self.clear()

    def clear(self) -> None:
        """Start counting afresh."""
        self.timing = Histogram()
        self.frames = self.soft_failures = self.over_budget = 0
        self.failures: dict[str, FailureTally] = {}

    def prepare(self, threads: int, gpu: int | None = None) -> DeviceDecision:
        """Load the plugin's code and prepare it; raise StageFailed where that cannot be done, or not where it must run."""
        folder, stage, request = Path(self.task.folder), self.task.stage, DeviceRequest.parse(self.task.device)
        networks = Attachments(
            request, stage=self.id, devices=self.task.targets, strict=self.task.strict_device,
            runtime=stage.options.get("runtime"), threads=threads, gpu=gpu,
        )  # fmt: skip
        try:
            plugin = load_plugin(folder, self.task.entry)
            plugin.prepare(PrepareContext(stage.options, folder, request, threads, networks.attach))
        except BaseException as error:  # noqa: BLE001  # the worker's edge: a plugin may raise anything, also SystemExit
            self._refuse_device(networks.refused)
            raise StageFailed("prepare", self.id, describe(error), detail_of(error)) from None
        networks.seal()
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
        skip = self.skips.get(frame.index)
        if skip is not None:
            return self.fail(frame.index, skip.code, skip.message, skip.detail)
        started = perf_counter_ns()
        try:
            output = self.plugin.process_frame(frame)  # type: ignore[union-attr]  # prepared before its first frame
        except BaseException as error:  # the worker's edge: a plugin may raise anything, also SystemExit
            self._count(started)
            if not ran_out(error):
                return self.fail(frame.index, SoftFailureCode.EXCEPTION, describe(error), detail_of(error))
            if crowded():
                raise MemoryError(describe(error)) from error  # the worker ends: a fresh one tries the frame again
            return self.fail(frame.index, SoftFailureCode.MEMORY, describe(error), detail_of(error))
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
        self._note(index, code, message, detail)
        on_error = self.task.stage.policy.on_error
        if on_error is OnError.FAIL_JOB:
            raise StageFailed("policy", self.id, f"frame {index}: {message}", detail)
        if on_error is OnError.DISABLE_STAGE:
            self.disabled = True
        return RowError(self.id, code, message)

    def skip(self, index: int, need: str, why: str) -> RowError:
        """Step over a frame that a stage this one needs gave nothing for; told, but no failure of this stage."""
        message = f"It needs {need!r}, which {why}."
        self._note(index, WarningCode.SKIPPED, message, None)
        return RowError(self.id, WarningCode.SKIPPED, message)

    def _note(self, index: int, code: str, message: str, detail: str | None) -> None:
        known = self.failures.get(code)
        if known is None:
            self.failures[code] = FailureTally(self.id, code, message, 1, index, index, detail)
        else:
            self.failures[code] = msgspec.structs.replace(known, count=known.count + 1, last_frame_index=index)

    def tally(self) -> StageTally:
        """What was gathered since the last `clear`."""
        return tally_of(self.id, self.timing, self.frames, self.soft_failures, self.over_budget)

    def _count(self, started: int) -> None:
        took = (perf_counter_ns() - started) // 1000
        self.timing.add(took)
        self.took(self.place, took)
        if took > self._budget_us:
            self.over_budget += 1


class StageSet:
    """All stages of a job in one worker, prepared once and kept from segment to segment."""

    def __init__(self, tasks: Sequence[StageTask], recorder: Recorder) -> None:
        self.runs = [StageRun(task, FIRST_STAGE + number) for number, task in enumerate(tasks)]
        self.next_frame = 0  # the frame a stateful stage must see next
        self.worth_ahead = False  # whether frames are worth decoding while these are at work
        self._recorder = recorder

    def prepare(self, run: StageRun, threads: int, gpu: int | None = None) -> DeviceDecision:
        """Prepare one stage, telling the recorder which."""
        self._recorder.note(run.place - FIRST_STAGE, PREPARE)
        return run.prepare(threads, gpu)

    def step_over(self, disabled: Sequence[str], skips: Sequence[Skip]) -> None:
        """Take note of disabled stages and of frames that a stage must not see."""
        for run in self.runs:
            run.disabled = run.disabled or run.id in disabled
            run.skips = {skip.frame: skip for skip in skips if skip.stage == run.id}

    def clear(self) -> None:
        """Have every stage start counting afresh."""
        for run in self.runs:
            run.clear()

    def keep_in(self, took: Callable[[int, int], None]) -> None:
        """Have every stage note there, beside its own counts, how long each frame took: `took(place, microseconds)`."""
        for run in self.runs:
            run.took = took

    def replay_only(self) -> list[StageRun]:
        """Stages that must see earlier frames again: the prepared stateful ones and what they need."""
        wanted: set[str] = set()
        for run in reversed(self.runs):
            if (run.task.stateful and run.plugin is not None) or run.id in wanted:
                wanted.update((run.id, *run.task.stage.upstream))
        return [run for run in self.runs if run.id in wanted]

    def process(
        self,
        bare: Frame,
        runs: Sequence[StageRun] | None = None,
        known: Mapping[str, Output] | None = None,
        failed: Sequence[RowError] = (),
    ) -> tuple[dict[str, Output], list[RowError]]:
        """Run the stages on one frame; a stage that does not run on it is absent from both results.

        `known` is what other stages gave for the frame before, which stands in the result too, and `failed` why they did not.
        """
        outputs: dict[str, Output] = dict(known) if known else {}
        errors: list[RowError] = []
        # Stages that gave nothing though it was their turn, and why: what needs them is skipped.
        lost = {error.stage: _why(error) for error in failed} if failed else {}
        index, note = bare.index, self._recorder.note
        for run in self.runs if runs is None else runs:
            stage = run.task.stage
            if stage.every > 1 and index % stage.every:
                continue
            if run.disabled or run.plugin is None:
                lost[run.id] = "is disabled"
                continue
            if lost and (need := next((need for need in stage.upstream if need in lost), None)):
                errors.append(run.skip(index, need, lost[need]))
                lost[run.id] = "was skipped"
                continue
            if stage.when is not None and not stage.when.holds(outputs):
                continue
            if stage.needs and any(need not in outputs for need in stage.needs):
                continue
            note(index, run.place)
            given = run.process(_seen_by(run.task, bare, outputs))
            if isinstance(given, RowError):
                errors.append(given)
                lost[run.id] = "failed"
            else:
                outputs[run.id] = given
        return outputs, errors


def _seen_by(task: StageTask, bare: Frame, outputs: Mapping[str, Output]) -> Frame:
    """Give a frame as a stage may see it: with what it needs, and with pixels where it reads them."""
    if task.needs_pixels and not task.stage.needs:
        return bare
    needed = {need: outputs[need] for need in task.stage.needs}
    if task.needs_pixels:
        return Frame(bare.pixels, bare.index, bare.t_s, needed)
    return FrameWithoutPixels(bare.size, bare.index, bare.t_s, needed)


def _why(error: RowError) -> str:
    return "was skipped" if error.code == WarningCode.SKIPPED else "failed"


def tally_of(row: str, timing: Histogram, frames: int = 0, soft_failures: int = 0, over_budget: int = 0) -> StageTally:
    """A histogram with its counts, ready to cross to the dispatcher."""
    return StageTally(row, frames, soft_failures, over_budget, timing.buckets, timing.count, timing.total_us, timing.max_us)
