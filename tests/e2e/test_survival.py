"""What jobs survive: everything killed at once, a frozen server, a full disk, a database that goes away; nothing is doubled."""

import contextlib
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.domain.job import Segment, SegmentState
from app.store import segments
from app.store.engine import BUSY_TIMEOUT_MS, Store
from tests.conftest import Server, Servers, wait_until, write_clip
from tests.many_jobs import TEST_PLUGINS, Asked, Result, differences, ended, result_of, stage
from tests.postgres import KEPT, NoPostgres, OwnPostgres, database_of, running

FRAMES = 150
LEASE_S = 2


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Asked]:
    """A job on every worker, one whose frames each need all before it, and one that is followed."""
    clip = write_clip(tmp_path_factory.mktemp("media") / "clip.mp4", frames=FRAMES)
    quick = stage("brightness", ms=10)
    return {
        "stateless": Asked(clip, (quick,), {}),
        "stateful": Asked(clip, (stage("accumulate", ms=10),), {}),
        "following": Asked(clip, (quick, stage("follower", "brightness")), {}),
    }


@pytest.fixture(scope="module")
def env(asked: dict[str, Asked]) -> dict[str, str]:
    """Two workers, the test plugins, a short lease."""
    return {
        "SIGHTLINE_WORKERS": "2",
        "SIGHTLINE_PLUGINS_PATH": str(TEST_PLUGINS),
        "SIGHTLINE_SOURCE_ROOTS": str(asked["stateless"].source.parent),
        "SIGHTLINE_LEASE_S": str(LEASE_S),
    }


@pytest.fixture(scope="module")
def calm(asked: dict[str, Asked], env: dict[str, str], module_servers: Servers) -> dict[str, Result]:
    """What the jobs come to when nobody disturbs them."""
    with module_servers.start(env=env).client() as api:
        ids = submit_all(api, asked)
        wait_until(lambda: ended(api, list(ids.values())), "the calm jobs to end")
        found = {name: result_of(api, job_id) for name, job_id in ids.items()}
    assert {(result.status, len(result.rows)) for result in found.values()} == {("completed", FRAMES)}
    return found


def submit_all(api: httpx.Client, asked: dict[str, Asked]) -> dict[str, str]:
    return {name: job.submit(api, name) for name, job in asked.items()}


def under_way(api: httpx.Client, ids: dict[str, str], frames: int = 30) -> None:
    """Wait until each job has done some frames, and none has ended."""
    for job_id in ids.values():
        wait_until(lambda job_id=job_id: api.get(f"/v1/jobs/{job_id}").json()["frames_done"] >= frames, "some frames")


def whole(api: httpx.Client, ids: dict[str, str], calm: dict[str, Result]) -> None:
    """Wait for the jobs' ends, and hold their results against the calm ones."""
    wait_until(lambda: ended(api, list(ids.values())), "the jobs to end")
    assert [said for name, job_id in ids.items() for said in differences(calm[name], result_of(api, job_id))] == []


def segments_committed(home: Path, job_id: str) -> list[Segment]:
    store = Store(database_of(home))
    with store.read() as tx:
        found = segments.committed(tx, job_id)
    store.close()
    return found


def committed(home: Path, job_id: str) -> list[tuple[int, int]]:
    """The committed segments of a job: the number of each, and how often it was claimed until then."""
    return [(segment.index, segment.term) for segment in segments_committed(home, job_id)]


def counting(home: Path, ids: dict[str, str]) -> list[set[str]]:
    """The files in which rows of each job count."""
    return [{one.rows.file for one in segments_committed(home, job_id) if one.rows} for job_id in ids.values()]


def files(home: Path, ids: dict[str, str]) -> list[set[str]]:
    """The files of rows that each job has, whole or half written."""
    return [{path.name for path in (home / "outputs" / job_id).glob("*.ndjson*")} for job_id in ids.values()]


def freeze_with_work_in_hand(server: Server, ids: dict[str, str]) -> None:
    """Stop a server while it holds a segment, but not the lock that SQLite gives to one writer at a time."""

    def frozen() -> bool:
        server.process.send_signal(signal.SIGSTOP)
        store = Store(database_of(server.home))
        with store.read() as tx:
            found = [segment.state for job_id in ids.values() for segment in segments.states(tx, job_id)]
        store.close()
        if SegmentState.LEASED in found and (KEPT.postgres or nobody_writes(server.home)):
            return True
        server.process.send_signal(signal.SIGCONT)
        return False

    wait_until(frozen, "the server to be frozen with a segment in hand")


def nobody_writes(home: Path) -> bool:
    """Say whether an SQLite database can be written right now."""
    with contextlib.closing(sqlite3.connect(home / "sightline.db", timeout=0.1, isolation_level=None)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
    return True


def test_everything_killed_at_once_costs_nothing(
    servers: Servers, env: dict[str, str], asked: dict[str, Asked], calm: dict[str, Result]
) -> None:
    first = servers.start(env=env)
    with first.client() as api:
        ids = submit_all(api, asked)
        under_way(api, ids)
    for process in first.processes():
        process.kill()
    first.process.wait()
    with servers.start(home=first.home, env=env).client() as api:
        whole(api, ids, calm)


def test_a_server_frozen_beyond_its_lease_finds_its_work_done_by_another_and_adds_nothing(
    servers: Servers, env: dict[str, str], asked: dict[str, Asked], calm: dict[str, Result]
) -> None:
    frozen = servers.start(env=env)
    with frozen.client() as api:
        ids = submit_all(api, asked)
    freeze_with_work_in_hand(frozen, ids)
    try:
        with servers.start(home=frozen.home, env=env).client() as api:
            whole(api, ids, calm)
    finally:
        frozen.process.send_signal(signal.SIGCONT)
    # what it held was claimed again; the one that is followed is claimed once more for its follower
    assert any(term > 1 + (name == "following") for name in ids for _, term in committed(frozen.home, ids[name]))
    with frozen.client() as api:
        wait_until(lambda: api.get("/readyz").status_code == httpx.codes.OK, "the thawed server to be well")
        whole(api, ids, calm)
    wait_until(lambda: files(frozen.home, ids) == counting(frozen.home, ids), "what was fenced to be removed")


@pytest.fixture
def little_room(tmp_path: Path, calm: dict[str, Result]) -> Iterator[Path]:
    """A home with room for two thirds of a job's rows; a file system of its own, so it needs a root that may mount."""
    home = tmp_path / "home"
    outputs = home / "outputs"
    outputs.mkdir(parents=True)
    room = 2 * sum(len(row) + 1 for row in calm["stateless"].rows) // 3
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", outputs], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"a small file system cannot be mounted here (run as root): {made.stderr.strip()}")
    yield home
    subprocess.run(["umount", "--lazy", outputs], check=True)


def test_a_full_disk_fails_a_job_in_words_and_a_retry_goes_on_where_it_was(
    servers: Servers, env: dict[str, str], asked: dict[str, Asked], calm: dict[str, Result], little_room: Path
) -> None:
    with servers.start(home=little_room, env=env).client() as api:
        job_id = asked["stateless"].submit(api, "stateless")
        wait_until(lambda: ended(api, [job_id]), "the job to end")
        job = api.get(f"/v1/jobs/{job_id}").json()
        said = "There is no room left to store the outputs: no space left on device."
        assert job["status"] == "failed"
        assert job["error"] == f"{said} Make room, then retry the job: it goes on where it is."
        before = committed(little_room, job_id)
        assert before
        subprocess.run(["mount", "-o", "remount,size=10m", little_room / "outputs"], check=True)
        assert api.post(f"/v1/jobs/{job_id}/retry").status_code == httpx.codes.OK
        wait_until(lambda: ended(api, [job_id]), "the retried job to end")
        found = result_of(api, job_id)
    assert (found.status, found.rows, found.counted) == ("completed", calm["stateless"].rows, calm["stateless"].counted)
    assert set(before) <= set(committed(little_room, job_id))  # none of them was done again


@pytest.mark.postgres
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seconds", [1.0, pytest.param(12.0, marks=pytest.mark.soak)])
def test_a_postgres_that_goes_away_is_waited_for(
    seconds: float, servers: Servers, env: dict[str, str], asked: dict[str, Asked], calm: dict[str, Result]
) -> None:
    try:
        with running() as postgres:
            server = servers.start(env=env | {"SIGHTLINE_DATABASE_URL": postgres.new(empty=True)})
            go_without(postgres, server, asked, calm, seconds)
            servers.close()
    except NoPostgres as reason:
        pytest.skip(f"no Postgres can be started: {reason}")


def go_without(postgres: OwnPostgres, server: Server, asked: dict[str, Asked], calm: dict[str, Result], seconds: float) -> None:
    with server.client() as api:
        ids = submit_all(api, asked)
        under_way(api, ids)
        postgres.stop()
        refused = api.get("/v1/jobs")
        assert (refused.status_code, "Retry-After" in refused.headers) == (httpx.codes.SERVICE_UNAVAILABLE, True)
        assert refused.json()["detail"].startswith("The database cannot be used right now: ")
        assert api.get("/readyz").json()["checks"]["database"] == refused.json()["detail"]
        assert api.get("/healthz").status_code == httpx.codes.OK
        time.sleep(seconds)
        postgres.start()
        whole(api, ids, calm)
        assert server.process.poll() is None
        wait_until(lambda: api.get("/readyz").status_code == httpx.codes.OK, "all to be well again")


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_an_sqlite_that_another_process_keeps_locked_for_longer_than_anybody_waits_for_a_lock_is_waited_for(
    servers: Servers, env: dict[str, str], asked: dict[str, Asked], calm: dict[str, Result]
) -> None:
    if KEPT.postgres:
        pytest.skip("this history is in Postgres")
    keep_locked(servers.start(env=env), asked, calm, seconds=BUSY_TIMEOUT_MS / 1000 + 4)


def keep_locked(server: Server, asked: dict[str, Asked], calm: dict[str, Result], seconds: float) -> None:
    with server.client() as api:
        ids = submit_all(api, asked)
        under_way(api, ids)
        other = sqlite3.connect(server.home / "sightline.db", isolation_level=None, check_same_thread=False)
        other.execute("BEGIN EXCLUSIVE")
        time.sleep(seconds)
        assert api.get("/v1/jobs").status_code == httpx.codes.OK  # reading goes on
        other.execute("ROLLBACK")
        other.close()
        whole(api, ids, calm)
        assert server.process.poll() is None
