"""A dozen jobs while servers and workers are killed and frozen at random: in the end all is as if nothing had happened."""

import os
import random
from pathlib import Path
from typing import Any

import pytest

from app.store import jobs, segments
from app.store.engine import Store
from tests.conftest import Servers, wait_until
from tests.many_jobs import TEST_PLUGINS, Asked, Result, a_dozen_jobs, differences, ended, result_of
from tests.soak.chaos import Chaos

pytestmark = pytest.mark.soak
LEASE_S = 4
RAGE_S = float(os.environ.get("SIGHTLINE_CHAOS_S", "80"))
SEED = int(os.environ.get("SIGHTLINE_CHAOS_SEED", "0")) or random.randrange(1, 1_000_000)


def surroundings(folder: Path, **more: str) -> dict[str, str]:
    """Environment of the servers: two workers each, the test plugins, and a short lease."""
    known = {"SIGHTLINE_WORKERS": "2", "SIGHTLINE_PLUGINS_PATH": str(TEST_PLUGINS), "SIGHTLINE_SOURCE_ROOTS": str(folder)}
    return known | {"SIGHTLINE_LEASE_S": str(LEASE_S)} | more


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Asked]:
    """The jobs, with their media."""
    return a_dozen_jobs(tmp_path_factory.mktemp("media"))


@pytest.fixture(scope="module")
def calm(asked: dict[str, Asked], module_servers: Servers) -> dict[str, Result]:
    """What the jobs come to when nobody disturbs them."""
    server = module_servers.start(env=surroundings(asked["stateless"].source.parent))
    with server.client() as api:
        ids = {name: job.submit(api, name) for name, job in asked.items()}
        wait_until(lambda: ended(api, list(ids.values())), "the calm jobs to end", 300)
        found = {name: result_of(api, job_id) for name, job_id in ids.items()}
    server.stop()
    assert {result.status for result in found.values()} == {"completed", "completed_with_warnings"}
    return found


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_jobs_end_as_undisturbed_though_servers_and_workers_are_killed_and_frozen_at_random(  # noqa: PLR0917  # each is a fixture
    kind: str,
    asked: dict[str, Asked],
    calm: dict[str, Result],
    servers: Servers,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    home = tmp_path / "home"
    database = f"sqlite:///{home / 'sightline.db'}"
    if kind == "postgres":
        database = request.getfixturevalue("postgres").new(empty=True)
    env = surroundings(asked["stateless"].source.parent, SIGHTLINE_DATABASE_URL=database)
    with capsys.disabled():
        print(f"\nchaos on {kind}: {RAGE_S:g} s, SIGHTLINE_CHAOS_SEED={SEED}")
    chaos = Chaos(SEED, lambda: servers.start(home=home, env=env), 2, LEASE_S)
    given: dict[str, str] = {}

    def keep_busy() -> None:
        with chaos.client() as api:
            if ended(api, list(given.values())):
                number = len(given) // len(asked)
                given.update({f"{name} {number}": job.submit(api, f"{name} {number}") for name, job in asked.items()})

    keep_busy()
    try:
        chaos.rage(RAGE_S, keep_busy)
        chaos.calm_down()
        with chaos.client() as api:
            wait_until(lambda: ended(api, list(given.values())), "every job to end", 400)
            wrong = compare(api, calm, given)
        assert wrong == [], "\n".join(wrong)
        check_database(database, home, list(given.values()))
    except BaseException:
        print(f"SIGHTLINE_CHAOS_SEED={SEED}", *chaos.log, sep="\n")
        raise
    with capsys.disabled():
        print(f"{len(chaos.log)} events, {len(given)} jobs")


def compare(api: Any, calm: dict[str, Result], given: dict[str, str]) -> list[str]:
    """Hold every job's result against the calm one's."""
    return [
        f"{name} ({job_id}) {difference}"
        for name, job_id in given.items()
        for difference in differences(calm[name.rpartition(" ")[0]], result_of(api, job_id))
    ]


def check_database(database: str, home: Path, job_ids: list[str]) -> None:
    """Every segment is committed, to a file that is there; no other file is left in a job's folder."""
    store = Store(database)
    with store.read() as tx:
        for job_id in job_ids:
            states = segments.states(tx, job_id)
            assert {segment.state for segment in states} == {"committed"}
            assert jobs.get(tx, job_id).frames_done == sum(segment.end - segment.start for segment in states)
            kept = {segment.rows.file for segment in states if segment.rows}
            left = {path.name for path in (home / "outputs" / job_id).glob("*.ndjson*")} - kept
            assert left == set(), f"{job_id} has files that are no segment's: {sorted(left)}"
    store.close()
