"""`sightline watch` on a real server: lines for pipes, a live view in a real terminal, and exit statuses that scripts trust."""

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.client import Client
from tests.conftest import Server, Servers, environment, write_clip

TEST_PLUGINS = Path(__file__).parents[1] / "plugins"
TOKEN = "a secret of this test"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def house(module_servers: Servers) -> Server:
    """One server that wants a token."""
    env = {"SIGHTLINE_WORKERS": "2", "SIGHTLINE_PLUGINS_PATH": str(TEST_PLUGINS), "SIGHTLINE_TOKEN": TOKEN}
    return module_servers.start(env=env)


@pytest.fixture
def client(house: Server) -> Iterator[Client]:
    """A client of that server."""
    with Client(house.url, token=TOKEN) as client:
        yield client


@pytest.fixture
def env(house: Server) -> dict[str, str]:
    """Where a terminal finds that server."""
    return {"SIGHTLINE_URL": house.url, "SIGHTLINE_TOKEN": TOKEN}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty frames."""
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=60)


def slow(ms: int = 20) -> dict[str, Any]:
    """A pipeline that takes its time."""
    return {"stages": [{"plugin": "brightness", "device": "cuda", "options": {"ms": ms}}]}


def test_a_pipe_gets_one_json_object_a_line_to_the_end_of_the_job(
    sightline: Run, client: Client, clip: Path, env: dict[str, str]
) -> None:
    job = client.submit(clip, pipeline=slow())
    done = sightline("watch", job.id, "--json", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert (told[0]["type"], told[-1]["type"], told[-1]["reason"]) == ("hello", "close", "completed")
    assert {"status", "device", "progress", "metrics"} <= {item["type"] for item in told}
    numbers = [item["id"] for item in told if item["id"] is not None]
    assert numbers == sorted(set(numbers))
    assert {item["type"] for item in told if item["id"] is not None} <= {"status", "device", "health", "warning"}


def test_a_pipe_gets_lines_of_words_and_a_job_that_failed_ends_with_one(
    sightline: Run, client: Client, clip: Path, env: dict[str, str]
) -> None:
    job = client.submit(clip, plugins="brightness", device="cuda", strict_device=True)
    done = sightline("watch", job.id, "--types", "status", env=env)
    assert (done.returncode, done.stderr) == (1, "")
    *statuses, close = done.stdout.splitlines()
    assert all(f" {job.id} status " in line for line in statuses)
    assert " failed (was " in statuses[-1]
    assert close.endswith(" close failed")


def test_what_cannot_be_watched_ends_with_two_and_one_sentence(sightline: Run, env: dict[str, str]) -> None:
    for arguments, words in (
        (("nowhere",), "There is no job 'nowhere'."),
        (("--url", "http://127.0.0.1:9"), "Start one with `sightline serve`"),
    ):
        done = sightline("watch", *arguments, env=env)
        assert (done.returncode, done.stdout) == (2, "")
        assert words in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr


def test_a_reader_that_has_enough_leaves_no_traceback(client: Client, clip: Path, env: dict[str, str], tmp_path: Path) -> None:
    job = client.submit(clip, pipeline=slow(), loop=100)
    with started("watch", job.id, "--json", env=environment(tmp_path, env)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b'"hello"' in process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 128 + signal.SIGPIPE
        assert process.stderr.read() == b""
    client.cancel(job)


def test_ctrl_c_leaves_the_job_alone_and_says_how_to_come_back(
    client: Client, clip: Path, env: dict[str, str], tmp_path: Path
) -> None:
    job = client.submit(clip, pipeline=slow(), loop=100)
    for arguments, status, words in (((job.id,), 130, f"sightline watch {job.id}"), ((), 0, "")):
        with started("watch", *arguments, "--json", env=environment(tmp_path, env)) as process:
            assert process.stdout is not None
            assert b'"hello"' in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, complained = process.communicate(timeout=30)
        assert process.returncode == status
        assert words in complained.decode()
        assert "Traceback" not in complained.decode()
    assert not client.get(job).status.ended
    client.cancel(job)


def test_a_terminal_shows_the_job_live_and_then_where_its_time_went(
    client: Client, clip: Path, env: dict[str, str], tmp_path: Path
) -> None:
    job = client.submit(clip, pipeline=slow(), loop=20, name="seen live")
    control, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    where = environment(tmp_path, {**env, "TERM": "xterm"})
    with started("watch", job.id, env=where, stdout=terminal, stderr=terminal, stdin=terminal) as process:
        os.close(terminal)
        shown = read(control, until="CPU ")
        client.stop(job)
        shown += read(control)
        assert process.wait(10) == 0
    for words in ("seen live", "running", " of 1200 frames", " fps", "cpu (asked for cuda)", "CPU ", "Where the time went"):
        assert words in shown, words
    assert shown.index(" of 1200 frames") < shown.index("Where the time went")
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # the cursor is back


def started(*arguments: str, env: dict[str, str], **pipes: Any) -> subprocess.Popen[bytes]:
    """Start the command line and leave it running."""
    pipes = pipes or {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-m", "app", *arguments], env=env, **pipes)


def read(control: int, until: str | None = None) -> str:
    """Read what a terminal was told, until some words or until nobody holds the terminal any more."""
    shown = ""
    while until is None or until not in shown:
        try:
            shown += os.read(control, 65536).decode(errors="replace")
        except OSError:  # the other end is closed
            os.close(control)
            return shown
    return shown
