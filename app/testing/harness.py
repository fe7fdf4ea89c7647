"""The harness: a plugin under test, its sample, and the checks it is held to."""

import importlib
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.domain.errors import ModelMissing
from app.domain.frame import Frame
from app.domain.output import Output
from app.domain.pipeline import Stage
from app.engine.recorder import Recorder
from app.engine.stage_tasks import stage_task
from app.engine.stages import RowError
from app.registry.expected import Expected, read_expected
from app.registry.load import load_class, unload
from app.registry.manifest import read_manifest
from app.registry.models import ModelShelf
from app.registry.options import check_options
from app.testing.diagnosis import diagnose
from app.testing.drawing import draw_failure
from app.testing.failure import CheckFailed, NotApplicable
from app.testing.sample import read_sample, sealed, some_frames
from app.testing.trial import Run, Summed, Trial, run, write_rows


class Harness:
    """A plugin in `folder` under test, with options and a device; what an option leaves open is as its expected.json has it.

    `models` is the folder of fetched models. Pictures of frames on which a check failed are written to `pictures`.
    Raises BadManifest and BadOption.
    """

    def __init__(
        self,
        folder: Path,
        *,
        options: Mapping[str, Any] | None = None,
        device: str = "cpu",
        models: Path | None = None,
        pictures: Path | None = None,
        recorder: Recorder | None = None,
        threads: int = 1,
    ) -> None:
        self.folder = folder.resolve()
        self.metadata = read_manifest(self.folder)
        self.expected = _expected(self.folder)
        self.device, self.threads = device, threads
        self.recorder = recorder or Recorder.private()
        self._models = ModelShelf(models)
        self._given = dict(options or {})
        self._left = ExitStack()
        self._pictures = pictures
        self._left.callback(cv2.setNumThreads, cv2.getNumThreads())
        cv2.setNumThreads(threads)  # one is what a worker among many has

    def __enter__(self) -> "Harness":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was written on the way, but for the pictures, and give OpenCV its threads back."""
        self._left.close()

    @cached_property
    def sample(self) -> Path:
        """The sample's path; raises NotApplicable where there is none."""
        named = self.folder / self.expected.sample if self.expected else None
        found = sorted(path for path in self.folder.glob("sample*") if path.suffix not in (".onnx", ".md"))
        path = named or next(iter(found), None)
        if path is None or not path.is_file():
            raise NotApplicable("it has no sample")
        return path

    @cached_property
    def frames(self) -> tuple[Frame, ...]:
        """Frames to try it on, made from its sample."""
        return some_frames(self.sample)

    @cached_property
    def straight(self) -> Run:
        """What an instance of freshly imported code gives for `frames`, in their order."""
        self.forget_code()
        return self.run()

    @cached_property
    def again(self) -> Run:
        """What one more instance gives for `frames`."""
        return self.run()

    def every_frame(self) -> Iterable[Frame]:
        """The whole sample, decoded as a worker decodes it."""
        return read_sample(self.sample)

    def trial(self, **options: Any) -> Trial:
        """Give a fresh prepared instance; raises CheckFailed where it cannot be prepared."""
        given = {**(self.expected.options if self.expected else {}), **self._given, **options}
        name = self.metadata.id
        checked = check_options(self.metadata, name, given)
        try:
            whole = self._models.checked(self.metadata, self.folder, name, checked, [Path("/")])
        except ModelMissing as missing:
            cure = "Fetch it, or let expected.json name a small model that lies in the plugin's folder."
            raise CheckFailed.on("prepares", str(missing), cure=cure) from missing
        stage = Stage(name, name, self._models.placed(self.metadata, self.folder, whole), needs=self._needs())
        task = stage_task(stage, self.metadata, self.folder, self.device, strict_device=False)
        return Trial(task, self.recorder, self.threads)

    def run(self, frames: Iterable[Frame] | None = None, **options: Any) -> Run:
        """Run a fresh instance over frames (its sample's, where none are given)."""
        return run(self.trial(**options), self.frames if frames is None else frames)

    def see(self, *pictures: NDArray[np.uint8], **options: Any) -> tuple[Any, ...]:
        """Give what a fresh instance gives for pictures (BGR, uint8), one after the other; raises CheckFailed for a failure."""
        given = self.run((Frame(sealed(picture), index, None) for index, picture in enumerate(pictures)), **options).given
        for index, output in enumerate(given):
            if isinstance(output, RowError):
                raise CheckFailed.on("gives-typed-outputs", diagnose(output, None).bug, frame=index)
        return given

    def beside(self, name: str) -> ModuleType:
        """Import a file that lies beside the plugin, the way the plugin itself does."""
        package = load_class(self.folder, self.metadata.entry).__module__.partition(".")[0]
        return importlib.import_module(f".{name}", package)

    def sum_up(self, outputs: Iterable[tuple[Frame, Output | RowError]], trial: Trial | None = None) -> Summed:
        """Let a fresh instance (or `trial`) finalize outputs, written and read back as a worker does it."""
        path = self._folder / f"{len(list(self._folder.iterdir()))}.ndjson"
        return (trial or self.trial()).sum_up(write_rows(path, self.metadata.id, outputs))

    def picture(self, check: str, frame: Frame, expected: Output | str | None, came: Output | str | None) -> Path:
        """Draw a frame with what was expected and what came; gives the PNG's path."""
        folder = self._pictures or Path(tempfile.gettempdir()) / "sightline-failures"
        return draw_failure(frame, expected, came, folder / f"{self.metadata.id}-{check}-frame-{frame.index}.png")

    def forget_code(self) -> None:
        """Let the next instance begin with freshly imported code."""
        unload(self.folder)

    def check(self, name: str) -> str:
        """Make one check; gives what was looked at. Raises CheckFailed, or NotApplicable where it says nothing."""
        from app.testing.checks import CHECK_OF  # noqa: PLC0415  # the checks are about the harness, from here

        return CHECK_OF[name](self)

    @cached_property
    def _folder(self) -> Path:
        return Path(self._left.enter_context(tempfile.TemporaryDirectory(prefix="sightline-test-")))

    def _needs(self) -> tuple[str, ...]:
        """The stages whose outputs a sample of rows holds."""
        if not self.metadata.needs_outputs:
            return ()
        return tuple(next(iter(self.frames)).outputs) if self.frames else ()


def _expected(folder: Path) -> Expected | None:
    try:
        return read_expected(folder)
    except (OSError, ValueError):
        return None  # the validator says why; the check of it says that there is none
