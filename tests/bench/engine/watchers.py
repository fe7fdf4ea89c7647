"""What live watchers cost: throughput with none, one and two of them, and the pictures that were made."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.bench.clips import write_long_clip
from tests.bench.engine.contenders import Case
from tests.bench.record import Result
from tests.bench.serving import Ran, Serving, serving
from tests.conftest import ROOT

MOST = 0.05
LOOPS = 3


def measure(folder: Path, *, small: bool) -> Iterator[Result]:
    """A watcher takes five pictures a second, 640 px wide, and fetches each, as a page does."""
    frames, rounds = (300, 1) if small else (2000, 3)
    clip = write_long_clip(folder / "watched.mp4", frames=frames, size=(768, 576))
    case = Case("shapes_dnn", ROOT / "plugins" / "shapes_dnn", clip, frames)
    with serving(folder, workers=2) as served:
        ran = [[_watched(served, case, watchers) for watchers in range(3)] for _ in range(rounds)]
    nobody, one, two = (median(one.wall_s for one in column) for column in zip(*ran, strict=True))
    made = [round(median(_pictures(one) for one in column)) for column in zip(*ran, strict=True)]
    costs = 1 - nobody / one, 1 - nobody / two
    found = f"one {costs[0]:+.1%}, two {costs[1]:+.1%}; pictures made for 0, 1, 2 watchers: {', '.join(map(str, made))}"
    within = costs[0] <= MOST and costs[1] <= MOST and made[0] == 0
    yield Result("live watchers, shapes_dnn at 768×576", f"≤ {MOST:.0%} of throughput, none made for nobody", found, within)


def _watched(served: Serving, case: Case, watchers: int) -> Ran:
    with contextlib.ExitStack() as stack:
        for _ in range(watchers):
            command = [sys.executable, "-m", "tests.bench.engine.watch", served.url]
            watcher = stack.enter_context(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))
            stack.callback(watcher.terminate)
            watcher.stdout.readline()
        return served.run(case.clip, case.pipeline, loop=LOOPS)


def _pictures(ran: Ran) -> int:
    return sum(row["frames"] for row in ran.job["breakdown"] if row["stage"] == "preview")
