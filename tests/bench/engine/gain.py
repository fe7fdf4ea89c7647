"""Two workers against two bare processes each doing half the frames, and against one loop with OpenCV's own threads."""

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.bench.clips import write_long_clip
from tests.bench.engine.contenders import Case, engine_per_frame, run_bare
from tests.bench.record import Result
from tests.bench.serving import PLUGINS, serving
from tests.conftest import ROOT

OF_BARE, OF_OPENCV = 0.93, 1.05
MODEL = ROOT.parent / "shared" / "data" / "models" / "yolox_nano_416.onnx"
OURS = ROOT / "plugins"


def measure(folder: Path, *, small: bool) -> Iterator[Result]:
    """The wall time of a frame, interleaved; start and end of the engine's jobs left out by taking two lengths."""
    sizes = {"nothing": (640, 360), "people_hog": (480, 270), "onnx_detector": (480, 270)}
    frames = {"nothing": 900, "people_hog": 20, "onnx_detector": 20} if small else {
        "nothing": 6000, "people_hog": 400, "onnx_detector": 600,
    }  # fmt: skip
    options = {"onnx_detector": {"model": str(MODEL)}}
    for plugin, size in sizes.items():
        if plugin == "onnx_detector" and not MODEL.is_file():
            yield Result(f"2 workers, {plugin}", f"≥ {OF_BARE}", "its model is not beside the project (../shared/data)", None)
            continue
        clip = write_long_clip(folder / f"{plugin}.mp4", frames=frames[plugin], size=size)
        home = PLUGINS if plugin == "nothing" else OURS
        case = Case(plugin, home / plugin, clip, frames[plugin], options.get(plugin, {}))
        yield from _compare(folder, case, rounds=1 if small else 3)


def _compare(folder: Path, case: Case, *, rounds: int) -> Iterator[Result]:
    of_bare, of_opencv, rates = [], [], []
    loops = 10 if case.name == "nothing" else 2  # what a job waits for at its end is up to half a second, whatever it does
    with serving(folder, workers=2) as served:
        for _ in range(rounds):
            engine_ms, _ = engine_per_frame(served, case, loops)
            bare = run_bare(case, loops=1, processes=2)
            opencv = run_bare(case, reader="opencv")
            bare_ms, opencv_ms = (1000 * ran.wall_s / ran.frames for ran in (bare, opencv))
            of_bare.append(bare_ms / engine_ms)
            of_opencv.append(opencv_ms / engine_ms)
            rates.append(f"{1000 / engine_ms:.1f}/{1000 / bare_ms:.1f}/{1000 / opencv_ms:.1f}")
    found = f"{median(of_bare):.3f} and {median(of_opencv):.2f}x (frames a second engine/bare/OpenCV: {', '.join(rates)})"
    name = "decode only" if case.name == "nothing" else case.name
    within = median(of_bare) >= OF_BARE and median(of_opencv) >= OF_OPENCV
    bound = f"≥ {OF_BARE} of two bare processes, ≥ {OF_OPENCV}x OpenCV's own threads"
    yield Result(f"2 workers, {name}", bound, found, within)
