"""Checks that take long or go by the clock: what is loaded when, what is left behind, what a frame takes."""

from itertools import cycle, islice
from statistics import median
from typing import Final

from app.domain.frame import Frame
from app.domain.timing import Histogram
from app.testing.failure import CheckFailed
from app.testing.harness import Harness
from app.testing.holdings import Holdings, holdings
from app.testing.trial import Trial

_LATE_MS: Final = 100.0  # a first frame that takes so much longer than the next ones loads something
_LATE_TIMES: Final = 8
_LEAK_FRAMES: Final = 1000
_SETTLED: Final = 300  # frames after which a plugin holds all that it means to hold
_STEP: Final = 100
_LEAK_BYTES: Final = 8_000_000
_LEAK_OBJECTS: Final = 0.25  # objects a frame
_ROUNDS: Final = 3
_ROUND_FRAMES: Final = 60
_ROUND_MS: Final = 3000.0


def loads_in_prepare(h: Harness) -> str:
    """The first frame takes about as long as the next ones: what is loaded, is loaded in prepare."""
    first, rest = float("inf"), 0.0
    for _ in range(2):  # the first instance of a process pays for what the libraries load
        trial, frame = h.trial(), h.frames[0]
        took = [trial.timed(frame)[1] for _ in range(4)]
        if took[0] < first:
            first, rest = took[0], median(took[1:])
    if first > rest + _LATE_MS and first > rest * _LATE_TIMES:
        bug = f"prepare comes too late: the first frame took {first:.0f} ms, the next ones {rest:.1f} ms"
        cure = "Load and warm up in prepare: it has no frame timeout, and is told as a time of its own."
        raise CheckFailed.on("loads-in-prepare", bug, cure=cure, frame=h.frames[0].index)
    return f"the first frame took {first:.1f} ms, the next ones {rest:.1f} ms"


def leaks_nothing(h: Harness, frames: int = _LEAK_FRAMES) -> str:
    """A thousand frames leave nothing behind: neither memory nor objects grow once the plugin has settled."""
    trial, steps = h.trial(), []
    for index, frame in enumerate(islice(cycle(h.frames), frames)):
        if index >= min(_SETTLED, frames // 3) and index % _STEP == 0:
            steps.append(holdings())
        _pass_by(trial, frame, index)
    steps.append(holdings())
    over = frames - min(_SETTLED, frames // 3)
    bug = _leak(steps, over)
    if bug:
        cure = "Keep a bounded number of things (collections.deque with maxlen), and let go of frames."
        raise CheckFailed.on("leaks-nothing", bug, cure=cure)
    return f"{frames} frames, {_grown(steps, 'in_use') / 1e6:+.1f} MB over the last {over}"


def stays_in_budget(h: Harness) -> str:
    """The p95 of what a frame takes is within the budget, in the best of three rounds."""
    best = Histogram()
    for number in range(_ROUNDS):
        timing = measure(h.trial(), h.frames, _ROUND_FRAMES, _ROUND_MS)
        if not number or timing.percentile_ms(95) < best.percentile_ms(95):
            best = timing
    p95, budget = best.percentile_ms(95), h.metadata.latency_budget_ms
    told = f"p50 {best.percentile_ms(50):.1f} ms, p95 {p95:.1f} ms, budget {budget:g} ms"
    if p95 > budget:
        cure = "Make it faster, or promise what it keeps: sightline plugins bench ID has the figures."
        raise CheckFailed.on("stays-in-budget", f"over its budget: {told}", cure=cure)
    return told


def measure(trial: Trial, frames: tuple[Frame, ...], count: int, most_ms: float) -> Histogram:
    """Time `count` frames, or as many as take `most_ms`, after a few that do not count."""
    for index, frame in enumerate(islice(cycle(frames), 3)):
        _pass_by(trial, frame, index)
    timing = Histogram()
    for index, frame in enumerate(islice(cycle(frames), count), 3):
        took = trial.timed(Frame(frame.pixels, index, index / 25, frame.outputs))[1]
        timing.add(round(took * 1000))
        if timing.total_ms > most_ms:
            break
    return timing


def _pass_by(trial: Trial, frame: Frame, index: int) -> None:
    """Process a frame under another index, and keep nothing of it."""
    trial.process(Frame(frame.pixels, index, index / 25, frame.outputs))
    trial.witness.given = None


def _leak(steps: list[Holdings], over: int) -> str | None:
    """Name what grows steadily over so many frames, in a process's memory or in what is in use of it, and in objects."""
    signs = []
    grown = max((_grown(steps, of) for of in ("resident", "in_use") if _steady(steps, of)), default=0)
    if grown > _LEAK_BYTES:
        signs.append(f"memory grew by {grown / 1e6:.1f} MB over {over} frames ({grown / over / 1e3:.0f} kB a frame)")
    left = _grown(steps, "objects")
    if left / over > _LEAK_OBJECTS and _steady(steps, "objects"):
        signs.append(f"{left / over:.1f} objects a frame are left behind, {left} over {over} frames")
    return f"a leak: {'; '.join(signs)}" if signs else None


def _grown(steps: list[Holdings], of: str, start: int = 0) -> int:
    first, last = getattr(steps[start], of), getattr(steps[-1], of)
    return int(last - first)


def _steady(steps: list[Holdings], of: str) -> bool:
    """Tell steady growth from a cache that fills up: the second half must have grown too."""
    return _grown(steps, of, len(steps) // 2) > _grown(steps, of) / 4
