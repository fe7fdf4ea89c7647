"""How soon a worker is ready, how much it holds before a model is loaded, and what an installation takes."""

import asyncio
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

from app.engine.pool import Pool
from tests.bench.record import Result
from tests.conftest import ROOT

READY_S, READY_MB = 0.35, 85
INSTALL_MB, INSTALL_S = 500, 120


def measure(folder: Path, *, small: bool) -> Iterator[Result]:
    """A worker's start, several times; an installation into a fresh environment, once."""
    starts = [asyncio.run(_worker()) for _ in range(3 if small else 9)]
    took, held = median(one for one, _ in starts), median(one for _, one in starts)
    bound = f"≤ {READY_S} s, ≤ {READY_MB} MB"
    yield Result("worker before a model is loaded", bound, f"{took:.2f} s, {held:.0f} MB", took <= READY_S and held <= READY_MB)
    if not small:
        yield _install(folder)


async def _worker() -> tuple[float, float]:
    """Seconds until a worker takes tasks, the interpreter's start included, and MB it then holds."""
    ready = asyncio.Event()
    pool = Pool(1, printed=lambda _job, _text: None, changed=ready.set)
    begun = perf_counter()
    await pool.start()
    try:
        while not pool.load():
            await ready.wait()
            ready.clear()
        return perf_counter() - begun, pool.usage()[0].rss_mb
    finally:
        await pool.close()


def _install(folder: Path) -> Result:
    bound = f"≤ {INSTALL_MB} MB, ≤ {INSTALL_S} s"
    wheels, fresh = folder / "wheel", folder / "fresh"
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    begun = perf_counter()
    venv.create(fresh, with_pip=True, symlinks=True)
    pip = [str(fresh / "bin" / "python"), "-m", "pip", "install", "--quiet", str(next(wheels.glob("*.whl")))]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    took = perf_counter() - begun
    if done.returncode != 0:
        return Result("install", bound, f"could not be fetched: {done.stderr.strip().splitlines()[-1][:120]}", None)
    held = sum(path.stat().st_size for path in fresh.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6
    shutil.rmtree(fresh)
    return Result("install", bound, f"{held:.0f} MB in {took:.0f} s", held <= INSTALL_MB and took <= INSTALL_S)
