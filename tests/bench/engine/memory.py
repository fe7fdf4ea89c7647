"""The most memory that server and worker hold with a video, and with one ten times as long."""

from collections.abc import Iterator
from pathlib import Path

from tests.bench.clips import write_long_clip
from tests.bench.engine.contenders import Case
from tests.bench.record import Result
from tests.bench.serving import PLUGINS, serving

MOST = 1.05  # what two runs of the same length differ by anyway


def measure(folder: Path, *, small: bool) -> Iterator[Result]:
    """Each length on a server of its own, one worker."""
    frames, peaks = 300 if small else 3000, []
    for times in (1, 10):
        clip = write_long_clip(folder / f"times{times}.mp4", frames=frames * times, size=(320, 240))
        case = Case("nothing", PLUGINS / "nothing", clip, frames * times)
        with serving(folder, workers=1) as served, served.peaks_mb() as peak:
            served.run(case.clip, case.pipeline)
        peaks.append(peak)
    ratios = {name: peaks[1][name] / peaks[0][name] for name in peaks[0]}
    found = "; ".join(f"{name} {peaks[0][name]:.0f} → {peaks[1][name]:.0f} MB ({ratios[name]:.2f}x)" for name in ratios)
    bound = f"no more for ten times the length (≤ {MOST}x)"
    yield Result(f"memory at {frames} and {10 * frames} frames", bound, found, max(ratios.values()) <= MOST)
