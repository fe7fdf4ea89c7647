"""A running API for tests: real store, storage, catalogue and hub behind a real uvicorn; only the workers are left out."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn

from app.devices.inventory import inventory
from app.domain.device import EXAMPLE_DECISION, DeviceDecision, Target
from app.domain.health import Health
from app.domain.job import Job, JobStatus, StageBreakdown
from app.domain.output import EXAMPLES
from app.domain.timing import Histogram
from app.engine.rows import Row, RowFile
from app.insights.hub import Hub
from app.media.preview import PreviewCache
from app.media.storage import Storage
from app.registry.discover import Catalogue
from app.store import breakdowns, jobs, listing, segments, warnings
from app.store.engine import Store, utc_now
from app.store.facts import StoredFacts
from app.web.parts import Limits, Parts, Readiness
from app.web.routes import build_app
from tests.committing import commit_alone
from tests.conftest import ROOT, Server, Servers
from tests.postgres import history_of
from tests.web.accessibility import source_of_axe

LIMITS = Limits(max_upload_bytes=2_000_000, max_queued_jobs=100, max_subscribers=10)

_WAY = {  # to statuses that no queued job moves to at once
    JobStatus.FINALIZING: (JobStatus.RUNNING, JobStatus.FINALIZING),
    JobStatus.COMPLETED: (JobStatus.RUNNING, JobStatus.FINALIZING, JobStatus.COMPLETED),
    JobStatus.COMPLETED_WITH_WARNINGS: (JobStatus.RUNNING, JobStatus.FINALIZING, JobStatus.COMPLETED_WITH_WARNINGS),
}


@dataclass
class Api:
    """A running API: its address, its parts, a client, and how often the dispatcher was rung."""

    url: str
    parts: Parts
    client: httpx.Client
    home: Path
    rung: list[float] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Port it listens on."""
        return int(self.url.rpartition(":")[2])

    def submit(self, clip: Path, **fields: Any) -> httpx.Response:
        """Upload a file with the fields of a form."""
        with clip.open("rb") as file:
            return self.client.post("/v1/jobs", files={"file": (clip.name, file)}, data={"plugins": "people_hog", **fields})

    def stored_jobs(self) -> int:
        """Number of jobs in the database."""
        with self.parts.store.read() as tx:
            return len(listing.page(tx, limit=200)[0])

    def left_on_disk(self) -> list[str]:
        """Names of the files under uploads and outputs."""
        folders = (self.home / "uploads", self.home / "outputs")
        return sorted(path.name for folder in folders for path in folder.rglob("*") if path.is_file())

    def work_off(self, job_id: str, *, most: int | None = None, to: JobStatus | None = JobStatus.COMPLETED) -> Job:
        """Do what the engine does: claim segments, put rows out, commit, and end the job."""
        return _work_off(self.parts, job_id, most=most, to=to)


def _work_off(parts: Parts, job_id: str, *, most: int | None, to: JobStatus | None) -> Job:
    store = parts.store
    folder = parts.storage.outputs_folder(job_id)
    folder.mkdir(parents=True, exist_ok=True)
    with store.begin() as tx:
        job = jobs.move(tx, job_id, JobStatus.RUNNING) if jobs.get(tx, job_id).status == "queued" else jobs.get(tx, job_id)
    done = 0
    while most is None or done < most:
        with store.begin() as tx:
            segment = segments.claim(tx, job_id, holder="test", lease_s=60, now=utc_now())
        if segment is None:
            break
        name = f"{segment.index}.ndjson"
        rows = RowFile(str(folder / name))
        for index in range(segment.start, segment.end):
            rows.add(Row(index, index / 30, {job.pipeline.ids[0]: EXAMPLES["detections"]}, []))
        rows.place()
        with store.begin() as tx:
            assert commit_alone(tx, segment, outputs_file=name, frames=segment.end - segment.start, loop_ms=5.0)
        done += 1
    with store.begin() as tx:
        stage = job.pipeline.stages[0]
        timing = Histogram()
        timing.add(1500)
        breakdowns.merge(tx, job_id, [StageBreakdown(stage.id, stage.plugin, "1.0.0", frames=1, timing=timing, budget_ms=40.0)])
        if to is not None:
            if to.succeeded:
                jobs.move(tx, job_id, JobStatus.FINALIZING)
                breakdowns.set_summary(tx, job_id, stage.id, {"people": 3})
            jobs.move(tx, job_id, to, error="it broke" if to is JobStatus.FAILED else None)
        return jobs.get(tx, job_id)


def bring(api: Api, job_id: str, status: JobStatus) -> None:
    """Move a queued job to a status by the moves the domain allows."""
    for step in _WAY.get(status, () if status is JobStatus.QUEUED else (status,)):
        with api.parts.store.begin() as tx:
            jobs.move(tx, job_id, step, error="it broke" if step is JobStatus.FAILED else None)


def tell_of_trouble(parts: Parts, job_id: str, stage: str) -> None:
    """Store a fallback, a soft failure and a verdict, as a job in trouble has them."""
    on_cpu = DeviceDecision("auto", Target.CPU, False, None, "It runs on the CPU.", (), None)
    with parts.store.begin() as tx:
        breakdowns.decide(tx, job_id, stage, EXAMPLE_DECISION, "worker 1")
        breakdowns.decide(tx, job_id, "other", on_cpu, "worker 1")
        breakdowns.set_health(tx, job_id, stage, "people_hog", Health.DEGRADED, "1 frame of 20 failed (5.0%).")
        warnings.warn(
            tx,
            job_id,
            code="exception",
            stage=stage,
            message="ValueError: no contour",
            count=1,
            first_frame_index=3,
            last_frame_index=3,
            detail="Traceback …",
        )


@contextlib.contextmanager
def serve(home: Path, limits: Limits = LIMITS, readiness: Readiness | None = None) -> Iterator[Api]:
    """Serve the application on a free port, in a thread, around real parts in `home`."""
    home.mkdir(exist_ok=True)
    store, rung = Store(history_of(home)), []
    parts = Parts(
        store=store,
        hub=Hub(StoredFacts(store)),
        storage=Storage(home),
        catalogue=Catalogue.discover([ROOT / "plugins"], entry_points=False),
        previews=PreviewCache(4_000_000),
        limits=limits,
        wake=lambda: rung.append(time.monotonic()),
        workers=tuple,
        readiness=lambda: readiness or Readiness({"database": None, "pool": None}),
        inventory=lambda: msgspec.to_builtins(inventory()),
    )
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(build_app(parts), log_level="error", lifespan="off", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=asyncio.run, args=(server.serve(sockets=[listener]),), daemon=True)
    thread.start()
    client = httpx.Client(base_url=address, timeout=30, trust_env=False)
    try:
        yield Api(address, parts, client, home, rung)
    finally:
        client.close()
        server.should_exit = True
        thread.join(10)
        store.close()


@pytest.fixture
def start_api(tmp_path: Path) -> Iterator[Callable[..., Api]]:
    """Start an API with other limits: `start_api(max_queued_jobs=1)`; `readiness=` says how the server does."""
    with contextlib.ExitStack() as running:

        def start(readiness: Readiness | None = None, **limits: Any) -> Api:
            return running.enter_context(serve(tmp_path / "home", replace(LIMITS, **limits), readiness))

        yield start


@pytest.fixture
def api(start_api: Callable[..., Api]) -> Api:
    """An API with an empty history."""
    return start_api()


def send_nothing(api: Api, path: str, fields: dict[str, Any]) -> httpx.Response:
    """Send a form whose file was left empty, as a browser does: a file with neither name nor bytes."""
    pairs = [(name, value) for name, values in fields.items() for value in ([values] if isinstance(values, str) else values)]
    parts = [f'--between\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in pairs]
    parts.append('--between\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\n\r\n--between--\r\n')
    headers = {"Accept": "text/html", "Content-Type": "multipart/form-data; boundary=between"}
    return api.client.post(path, content="".join(parts), headers=headers)


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """Check that an answer is a problem of RFC 9457 with this status, and give it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = response.json()
    assert told["status"] == status
    assert told["type"].startswith("/problems/")
    assert told["title"]
    assert told["detail"]
    assert "Traceback" not in response.text
    return told


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server with two workers, and the plugins of the tests beside the pack, for all tests of a module."""
    started = Servers(tmp_path_factory.mktemp("house"))
    yield started.start(env={"SIGHTLINE_WORKERS": "2", "SIGHTLINE_PLUGINS_PATH": str(ROOT / "tests" / "plugins")})
    started.close()


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Source of axe-core, of the version that is locked in tests/web/axe."""
    return source_of_axe(tmp_path_factory.mktemp("axe"))
