"""One fresh instance of a plugin under test, prepared and run by the engine's own stages code."""

from collections.abc import Iterable
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple
from zlib import crc32

import msgspec

from app.domain.device import DeviceDecision
from app.domain.frame import Frame
from app.domain.job import RowsPlace
from app.domain.output import Output
from app.domain.plugin import FrameOutput, Plugin, PrepareContext, Summary
from app.engine.recorder import Recorder
from app.engine.rows import Row, RowFile
from app.engine.stages import RowError, StageFailed, StageSet
from app.engine.summing import sum_up
from app.engine.tasks import StageTask
from app.testing.failure import CheckFailed


class Witness:
    """Stands before a plugin and keeps what it gave last, also where that cannot be taken."""

    def __init__(self, plugin: Plugin) -> None:
        self.plugin = plugin
        self.given: Any = None

    def prepare(self, context: PrepareContext) -> None:
        """Prepare the plugin."""
        self.plugin.prepare(context)

    def process_frame(self, frame: Frame) -> Output:
        """Let the plugin process a frame."""
        self.given = None
        self.given = self.plugin.process_frame(frame)
        return self.given  # type: ignore[no-any-return]  # whatever it is, the stage's code looks at it

    def finalize(self, outputs: Iterable[FrameOutput]) -> Summary:
        """Let the plugin sum up."""
        return self.plugin.finalize(iter(outputs))


class Summed(NamedTuple):
    """What finalize came to: the summary, or the error."""

    summary: dict[str, Any] | None
    error: str | None


class Trial:
    """A prepared instance with the stage that runs it. Raises CheckFailed where the plugin cannot be prepared."""

    def __init__(self, task: StageTask, recorder: Recorder, threads: int = 1) -> None:
        self._stages = StageSet([task], recorder)
        self.stage = self._stages.runs[0]
        try:
            self.decision: DeviceDecision = self._stages.prepare(self.stage, threads)
        except StageFailed as failed:
            _, _, message, detail = failed.args
            own = f"\n{detail}" if detail else ""
            raise CheckFailed.on("prepares", f"prepare failed: {message}{own}") from failed
        self.witness = Witness(self.stage.plugin)  # type: ignore[arg-type]  # it is prepared
        self.stage.plugin = self.witness

    @property
    def plugin(self) -> Any:
        """The plugin's instance."""
        return self.witness.plugin

    def process(self, frame: Frame) -> Output | RowError:
        """Run the stage on a frame that holds what it needs of earlier stages; gives its output, or why there is none."""
        outputs, errors = self._stages.process(frame, known=frame.outputs)
        return errors[0] if errors else outputs[self.stage.id]

    def timed(self, frame: Frame) -> tuple[Output | RowError, float]:
        """Process a frame; gives the milliseconds it took as well."""
        begun = perf_counter()
        given = self.process(frame)
        return given, (perf_counter() - begun) * 1000

    def sum_up(self, rows: Path) -> Summed:
        """Let this instance finalize the outputs that `write_rows` wrote."""
        body, error, _ = sum_up(self.stage, str(rows.parent), [RowsPlace(rows.name)])
        return Summed(None if body is None else msgspec.json.decode(body), error)


class Run(NamedTuple):
    """What an instance gave for frames, in the order they were given; `changed` are the frames whose pixels it changed."""

    frames: tuple[Frame, ...]
    given: tuple[Output | RowError, ...]
    changed: tuple[Frame, ...]
    trial: Trial

    def by_frame(self) -> dict[int, Output | RowError]:
        """What was given, by the frame's index."""
        return {frame.index: given for frame, given in zip(self.frames, self.given, strict=True)}


def run(trial: Trial, frames: Iterable[Frame]) -> Run:
    """Run an instance over frames."""
    known, given, changed = tuple(frames), [], []
    for frame in known:
        before = crc32(frame.pixels.tobytes())
        given.append(trial.process(frame))
        if crc32(frame.pixels.tobytes()) != before:
            changed.append(frame)
    return Run(known, tuple(given), tuple(changed), trial)


def write_rows(path: Path, stage: str, outputs: Iterable[tuple[Frame, Output | RowError]]) -> Path:
    """Write a stage's outputs as a worker commits them; frames without one get a row with the error."""
    file = RowFile(str(path))
    for frame, given in outputs:
        failed = isinstance(given, RowError)
        file.add(Row(frame.index, frame.t_s, {} if failed else {stage: given}, [given] if failed else []))  # type: ignore[dict-item, list-item]  # told apart by `failed`
    file.place()
    return path
