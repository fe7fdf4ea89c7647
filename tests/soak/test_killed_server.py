"""A server killed in the middle of a job, with scripts attached: they go on by themselves and end with the job."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.client import Client
from app.domain.insight import FACT_TYPES
from tests.conftest import ROOT, Server, Servers, environment, wait_until, write_clip

pytestmark = pytest.mark.soak
TEST_PLUGINS = {"SIGHTLINE_WORKERS": "2", "SIGHTLINE_PLUGINS_PATH": str(ROOT / "tests" / "plugins")}
SLOW: dict[str, Any] = {"stages": [{"plugin": "faulty"}, {"plugin": "brightness", "options": {"ms": 20}}]}
SCRIPT = """
import sys
from app.client import Client
from app.cli.lines import json_line

with Client(sys.argv[1]) as client:
    feed = client.follow(sys.argv[2])
    for insight in feed:
        print(json_line(insight, feed.fact_id).decode(), end="", flush=True)
    print("closed", feed.closed)
"""
(LOOP,) = re.findall(r"^```bash\n(.*?)^```$", (ROOT / "docs" / "FEED.md").read_text(), re.MULTILINE | re.DOTALL)


@contextmanager
def attached(server: Server, job_id: str, folder: Path) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Start every kind of reader of a job, each writing what it is told into a file of its own."""
    where = environment(folder, {"SIGHTLINE_URL": server.url, "JOB": job_id})
    commands = {
        "client": [sys.executable, "-c", SCRIPT, server.url, job_id],
        "watch": [sys.executable, "-m", "app", "watch", job_id, "--json"],
        "curl": ["bash", "-ec", LOOP],
    }
    readers = {}
    for name, command in commands.items():
        with (folder / name).open("wb") as told:
            readers[name] = subprocess.Popen(command, env=where, stdout=told, start_new_session=True)
    try:
        yield readers
    finally:
        for reader in readers.values():
            reader.kill()
            reader.wait()


def facts(told: str) -> list[tuple[str, str]]:
    """Facts a reader was told, in order, by what tells them apart; a type goes by the fields it has."""
    found = []
    for line in told.splitlines():
        said = json.loads(line) if line.startswith("{") else {}
        if said.get("type") in FACT_TYPES or ("type" not in said and FACT_FIELDS & set(said)):
            found.append((said["at"], str(said.get("status") or said.get("message") or said["reason"])))
    return found


FACT_FIELDS = {"previous", "attempts", "message"}  # of curl's lines, which do not name their type


@pytest.mark.parametrize("killed", [1, 2])
def test_scripts_go_on_over_a_killed_server_and_end_with_the_job(servers: Servers, tmp_path: Path, killed: int) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=800)
    server = servers.start(env=TEST_PLUGINS)
    port = int(server.url.rpartition(":")[2])
    with Client(server.url) as client:
        job = client.submit(clip, pipeline=SLOW)
        with attached(server, job.id, tmp_path) as readers:
            for time in range(1, killed + 1):
                client.pause(job)  # it is not to end before everybody is there, each once more than there were kills
                for name in readers:
                    told = tmp_path / name
                    wait_until(lambda told=told, time=time: connections(told) == time, f"{name} to be told of the job", 60)
                before = client.resume(job).frames_done
                wait_until(lambda before=before: client.get(job).frames_done > before + 20, "some frames more")
                server.process.kill()
                server.process.wait()
                wait_until(lambda gone=server: not gone.processes(), "the workers to notice")
                server = servers.start(home=server.home, env=TEST_PLUGINS, port=port)
            assert client.wait(job, timeout_s=60).status == "completed_with_warnings"
            statuses = {name: reader.wait(30) for name, reader in readers.items()}
        assert statuses == {"client": 0, "watch": 0, "curl": 0}
        complete = facts("\n".join(json.dumps(item) for item in kept(server, job.id)))
        assert len(complete) > 8
        for name in readers:
            told = (tmp_path / name).read_text()
            assert facts(told) == complete, name
            assert connections(tmp_path / name) == 1 + killed
            assert '"reason":"completed_with_warnings"' in told.splitlines()[-1 if name != "client" else -2]
        assert (tmp_path / "client").read_text().endswith("closed completed_with_warnings\n")
        assert [row.frame_index for row in client.frames(job)] == list(range(800))


def connections(told: Path) -> int:
    """How often a reader has connected so far."""
    return told.read_text().count('"resumed_from"')


def kept(server: Server, job_id: str) -> list[dict[str, Any]]:
    """The facts of a job as the database has them."""
    with server.client() as client:
        return list(client.get(f"/v1/jobs/{job_id}/facts?limit=200").raise_for_status().json()["items"])
