"""The engine's own cost per frame over a bare loop with the same decode and the same plugin, which does nothing."""

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.bench.clips import write_long_clip
from tests.bench.engine.contenders import Case, engine_per_frame, run_bare
from tests.bench.record import Result
from tests.bench.serving import PLUGINS, serving

BOUND_MS = 0.02


def measure(folder: Path, *, small: bool) -> Iterator[Result]:
    """CPU of server and worker counted, writing too; start and end of a job left out by taking two lengths."""
    frames, loops, rounds = (600, 1, 1) if small else (3000, 4, 9)
    case = Case("nothing", PLUGINS / "nothing", write_long_clip(folder / "240p.mp4", frames=frames, size=(320, 240)), frames)
    engine, bare = [], []
    for _ in range(rounds):  # a worker of its own for each: where its memory comes to lie is worth a few microseconds a frame
        with serving(folder, workers=1) as served:
            served.run(case.clip, case.pipeline)  # what a server does once after its start is then done
            engine.append(engine_per_frame(served, case, loops)[1])
        ran = run_bare(case, loops=loops)
        bare.append(1000 * ran.cpu_s / ran.frames)
    extra = [ours - theirs for ours, theirs in zip(engine, bare, strict=True)]
    found = (
        f"{median(extra):.4f} CPU-ms a frame (rounds {', '.join(f'{one:.4f}' for one in extra)}): "
        f"engine {median(engine):.4f}, bare loop {median(bare):.4f}"
    )
    yield Result("engine's own cost, 240p, nobody watching", f"≤ {BOUND_MS} CPU-ms a frame", found, median(extra) <= BOUND_MS)
