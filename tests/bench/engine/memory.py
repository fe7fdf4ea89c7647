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
    """In Matroska, and in MP4, whose table of frames FFmpeg keeps whole: 44 bytes a frame."""
    frames, rounds = (300, 1) if small else (3000, 3)
    for container in ("mkv", "mp4"):
        yield _compare(folder, container, frames, rounds)


def _compare(folder: Path, container: str, frames: int, rounds: int) -> Result:
    """Each length on servers of their own, one worker."""
    peaks: dict[int, list[dict[str, float]]] = {1: [], 10: []}
    paths = {times: folder / f"times{times}.{container}" for times in peaks}
    clips = {times: write_long_clip(path, frames=frames * times, size=(320, 240)) for times, path in paths.items()}
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
    what = f"memory at {frames} and {10 * frames} frames, {container}"
    return Result(what, f"no more for ten times the length (≤ {MOST}x)", "; ".join(found), max(ratios) <= MOST)
