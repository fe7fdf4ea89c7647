"""The most memory that server and worker hold with a video, and with one ten times as long."""

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.bench.clips import write_long_clip
from tests.bench.engine.contenders import Case
from tests.bench.record import Result
from tests.bench.serving import PLUGINS, serving

MOST = 1.05  # what two runs of the same length differ by anyway


def measure(folder: Path, *, small: bool) -> Iterator[Result]:
    """Each length on servers of their own, one worker; in Matroska, for FFmpeg keeps an MP4's whole table, 44 bytes a frame."""
    frames, rounds = (300, 1) if small else (3000, 3)
    peaks: dict[int, list[dict[str, float]]] = {1: [], 10: []}
    clips = {times: write_long_clip(folder / f"times{times}.mkv", frames=frames * times, size=(320, 240)) for times in peaks}
    for times in list(peaks) * rounds:
        case = Case("nothing", PLUGINS / "nothing", clips[times], frames * times)
        with serving(folder, workers=1) as served, served.peaks_mb() as peak:
            served.run(case.clip, case.pipeline)
        peaks[times].append(peak)
    found, ratios = [], []
    for name in ("server", "worker"):
        short, long = (median(peak[name] for peak in peaks[times]) for times in peaks)
        ratios.append(long / short)
        found.append(f"{name} {short:.1f} → {long:.1f} MB ({long / short:.3f}x)")
    bound = f"no more for ten times the length (≤ {MOST}x)"
    yield Result(f"memory at {frames} and {10 * frames} frames, Matroska", bound, "; ".join(found), max(ratios) <= MOST)
