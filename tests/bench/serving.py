"""A real server under a bench: started, given jobs, and weighed with all its processes."""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil
from httpx_sse import connect_sse

from tests.conftest import environment, running_in, sweep

PLUGINS = Path(__file__).with_name("plugins")


class Ran(NamedTuple):
    """A job that was run: as it ended, seconds from its start to its end, and CPU seconds of all processes meanwhile."""

    job: dict[str, Any]
    wall_s: float
    cpu_s: float


class Serving:
    """A running server whose jobs read files of one folder."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self._process = process
        self.url = url
        self.client = httpx.Client(base_url=url, timeout=60, trust_env=False)

    def submit(self, clip: Path, pipeline: Mapping[str, Any], *, loop: int = 1) -> str:
        """Start a job on the CPU and give its id."""
        body = {"source": {"path": str(clip)}, "pipeline": pipeline, "loop": loop, "device": "cpu"}
        return str(self.client.post("/v1/jobs", json=body).raise_for_status().json()["id"])

    def run(self, clip: Path, pipeline: Mapping[str, Any], *, loop: int = 1) -> Ran:
        """Run a job to its end. Waiting listens to the job's status alone, so that it costs the server nothing."""
        before = self.cpu_s()
        job_id = self.submit(clip, pipeline, loop=loop)
        with connect_sse(self.client, "GET", f"/v1/jobs/{job_id}/insights?types=status", timeout=None) as source:
            for _ in source.iter_sse():
                pass
        cpu_s = self.cpu_s() - before
        job = self.client.get(f"/v1/jobs/{job_id}").json()
        if job["status"] != "completed":
            raise RuntimeError(f"the job is {job['status']}: {job['error']} {job['warnings']}")
        started, finished = (datetime.fromisoformat(job[at]) for at in ("started_at", "finished_at"))
        return Ran(job, (finished - started).total_seconds(), cpu_s)

    def processes(self) -> list[psutil.Process]:
        """The server and its workers."""
        return running_in(self._process.pid)

    def cpu_s(self) -> float:
        """CPU seconds of the server and its workers so far."""
        return sum(sum(process.cpu_times()[:2]) for process in self.processes())

    @contextlib.contextmanager
    def peaks_mb(self) -> Iterator[dict[str, float]]:
        """Give the most memory server and worker held meanwhile, by name, filled in at the end."""
        peaks: dict[str, float] = {"server": 0.0, "worker": 0.0}
        ended = threading.Event()

        def weigh() -> None:
            while not ended.wait(0.1):
                for process in self.processes():
                    with contextlib.suppress(psutil.Error):
                        name = "server" if process.pid == self._process.pid else "worker"
                        peaks[name] = max(peaks[name], process.memory_info().rss / 1e6)

        weighing = threading.Thread(target=weigh)
        weighing.start()
        try:
            yield peaks
        finally:
            ended.set()
            weighing.join()


@contextlib.contextmanager
def serving(folder: Path, *, workers: int) -> Iterator[Serving]:
    """Serve with an empty history until the block ends; clips lie in `folder`."""
    home = folder / f"home-{time.monotonic_ns()}"
    settings = {
        "SIGHTLINE_WORKERS": str(workers), "SIGHTLINE_PLUGINS_PATH": str(PLUGINS), "SIGHTLINE_SOURCE_ROOTS": "/",
    }  # fmt: skip
    command = [sys.executable, "-m", "app", "serve", "--port", "0"]
    pipes = {"stdout": subprocess.PIPE, "text": True, "start_new_session": True}
    process = subprocess.Popen(command, cwd=folder, env=environment(home, settings), **pipes)
    try:
        line = process.stdout.readline()
        served = Serving(process, line.split()[-1])
        while served.client.get("/readyz").status_code != httpx.codes.OK:
            time.sleep(0.05)
        with contextlib.closing(served.client):
            yield served
    finally:
        process.terminate()
        process.wait(30)
        sweep(process.pid)
        process.stdout.close()
