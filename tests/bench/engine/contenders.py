"""What is held against each other: the engine on a job, and bare loops over the same frames with the same plugin."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.serving import Serving
from tests.conftest import ROOT


class Case(NamedTuple):
    """A plugin with its options on a clip of so many frames."""

    name: str
    folder: Path
    clip: Path
    frames: int
    options: Mapping[str, Any] = {}

    @property
    def pipeline(self) -> dict[str, Any]:
        """The job's pipeline."""
        return {"stages": [{"plugin": self.folder.name, "options": dict(self.options)}]}


class Bare(NamedTuple):
    """A bare loop's frames, and its wall and CPU seconds, without its start."""

    frames: int
    wall_s: float
    cpu_s: float


def run_bare(case: Case, *, reader: str = "pyav", loops: int = 1, processes: int = 1) -> Bare:
    """Run the bare loop in so many processes at once, each over `loops` passes; they begin together when all are ready."""
    command = [
        sys.executable, "-m", "tests.bench.engine.bare", reader, str(case.clip), str(case.folder),
        json.dumps(dict(case.options)), str(loops),
    ]  # fmt: skip
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    children = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(processes)]
    for child in children:
        child.stdout.readline()
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    told = [json.loads(child.communicate()[0]) for child in children]
    return Bare(sum(t["frames"] for t in told), max(t["wall_s"] for t in told), sum(t["cpu_s"] for t in told))


def engine_per_frame(served: Serving, case: Case, loops: int) -> tuple[float, float]:
    """Wall and CPU ms per frame in the engine: those of a longer job less those of a shorter one, so that no start counts."""
    short, long = served.run(case.clip, case.pipeline, loop=1), served.run(case.clip, case.pipeline, loop=1 + loops)
    frames = case.frames * loops
    return 1000 * (long.wall_s - short.wall_s) / frames, 1000 * (long.cpu_s - short.cpu_s) / frames
