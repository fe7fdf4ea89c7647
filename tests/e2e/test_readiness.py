"""`/readyz` and doctor go red, with reason and cure, when work stands still, and green again by themselves."""

import json
import signal
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.conftest import wait_until

PLUGINS = {"SIGHTLINE_PLUGINS_PATH": str(Path(__file__).parents[1] / "plugins"), "SIGHTLINE_WORKERS": "2"}
RED_WITHIN_S = 30.0
BROKEN_START = """
import pathlib, sys
if "app.engine.worker" in sys.orig_argv and pathlib.Path({flag!r}).exists():
    sys.exit("there is no room for a worker here")
"""


def slow(frame_ms: int) -> str:
    return json.dumps({"stages": [{"plugin": "brightness", "options": {"ms": frame_ms}}]})


def workers_of(server: Any) -> list[psutil.Process]:
    return [process for process in server.processes() if "app.engine.worker" in process.cmdline()]


class Door:
    """The server's readiness as anybody sees it."""

    def __init__(self, server: Any) -> None:
        self._server = server

    def checks(self) -> dict[str, str | None]:
        """Give what each part says; the status code must agree."""
        answer = httpx.get(f"{self._server.url}/readyz", timeout=10, trust_env=False)
        checks = answer.json()["checks"]
        assert (answer.status_code == httpx.codes.OK) == all(reason is None for reason in checks.values())
        return checks

    def red(self, part: str, *words: str, patience_s: float = RED_WITHIN_S) -> None:
        """Wait until a part gives a reason with these words."""
        wait_until(lambda: all(word in (self.checks()[part] or "") for word in words), f"{part}: {words}", patience_s)

    def green(self) -> None:
        """Wait until all is well."""
        wait_until(lambda: not any(self.checks().values()), "every part to be well")


def test_stopped_workers_are_told_with_the_command_that_lets_them_go_on(servers: Any, visit: Any, clip: Path) -> None:
    server = servers.start(env=PLUGINS)
    visitor, seen = visit(server), Door(server)
    job_id = visitor.submit(clip, pipeline=slow(10), loop="3")["id"]
    wait_until(lambda: visitor.job(job_id)["frames_done"] > 0, "the job to be on its way")
    stopped = workers_of(server)
    for worker in stopped:
        worker.send_signal(signal.SIGSTOP)
    seen.red("pool", "Every worker is stopped", "kill -CONT", *(str(worker.pid) for worker in stopped))
    for worker in stopped:
        worker.send_signal(signal.SIGCONT)
    seen.green()
    assert visitor.ended(job_id)["status"] == "completed"
    assert [row["frame_index"] for row in visitor.rows(job_id)] == list(range(270))


def test_workers_that_cannot_start_are_told_with_what_they_said(servers: Any, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BROKEN_START.format(flag=str(tmp_path / "flag")))
    server = servers.start(env=PLUGINS | {"PYTHONPATH": str(tmp_path)})
    seen = Door(server)
    (tmp_path / "flag").touch()
    for worker in workers_of(server):
        worker.kill()
    seen.red("pool", "No worker can start", "there is no room for a worker here", "sightline doctor")
    (tmp_path / "flag").unlink()
    seen.green()


@pytest.mark.soak
def test_frozen_workers_turn_doctor_and_readyz_red_and_are_replaced_by_themselves(
    servers: Any, visit: Any, clip: Path, sightline: Any
) -> None:
    server = servers.start(env=PLUGINS)
    visitor, seen = visit(server), Door(server)
    job_id = visitor.submit(clip, pipeline=slow(10), loop="3")["id"]
    wait_until(lambda: visitor.job(job_id)["frames_done"] > 0, "the job to be on its way")
    for worker in workers_of(server):
        worker.send_signal(signal.SIGSTOP)
    seen.red("work", "Work stands still: 1 job waits", "no lease was renewed", "Restart the server")
    told = sightline("doctor", "--json", home=server.home)
    work = next(item for item in json.loads(told.stdout)["items"] if item["about"] == "work")
    assert (told.returncode, work["verdict"]) == (1, "problem")
    assert work["message"].startswith("Work stands still: 1 job waits")
    seen.green()
    assert visitor.ended(job_id, 120)["status"] in ("completed", "completed_with_warnings")
    assert [row["frame_index"] for row in visitor.rows(job_id)] == list(range(270))
    healthy = sightline("doctor", "--json", home=server.home)
    assert next(item for item in json.loads(healthy.stdout)["items"] if item["about"] == "work")["verdict"] == "ok"


@pytest.mark.soak
def test_a_dispatcher_that_cannot_write_is_told_and_goes_on_by_itself(servers: Any, visit: Any, clip: Path) -> None:
    server = servers.start(env=PLUGINS)
    visitor, seen = visit(server), Door(server)
    job_id = visitor.submit(clip, pipeline=slow(10), loop="8")["id"]
    other = sqlite3.connect(server.home / "sightline.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    seen.red("work", "it is tried again by itself")
    other.execute("ROLLBACK")
    other.close()
    seen.green()
    assert visitor.ended(job_id, 120)["status"] == "completed"


@pytest.mark.soak
def test_a_slow_frame_that_may_be_slow_is_no_standstill(servers: Any, visit: Any, still: Path) -> None:
    server = servers.start(env=PLUGINS | {"SIGHTLINE_WORKERS": "1"})
    visitor, seen = visit(server), Door(server)
    pipeline = {"stages": [{"plugin": "brightness", "options": {"ms": 10_000}, "frame_timeout_s": 90}] * 4}
    job_id = visitor.submit(still, pipeline=json.dumps(pipeline))["id"]
    while visitor.job(job_id)["status"] in ("queued", "running"):
        assert not any(seen.checks().values())
    assert visitor.ended(job_id)["status"] == "completed"
