"""models pull against a server of this machine: whole, cut off, gone on with, refused, killed in the middle."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from app.domain.errors import PullFailed
from app.domain.plugin import ModelFile
from app.registry.pull import is_whole, part_path, pull, take

BODY = bytes(range(256)) * 4096  # 1 MiB
CUT = 300_000


class Upstream(ThreadingHTTPServer):
    """A server of one file, with the faults a test asks for; `asked` are the ranges it was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []
        self.body, self.cut_after, self.ranges, self.stall = BODY, 0, True, False
        self.released = threading.Event()

    def model(self, **facts: Any) -> ModelFile:
        """The file as a manifest would tell it."""
        port = self.server_address[1]
        told = {"file": "net.onnx", "sha256": hashlib.sha256(BODY).hexdigest(), "size": len(BODY), "license": "MIT"}
        return ModelFile(**{**told, "url": f"http://127.0.0.1:{port}/net.onnx", **facts})


class Handler(BaseHTTPRequestHandler):
    """Answers like a file server: 200, or 206 where a range is asked for."""

    server: Upstream

    def do_GET(self) -> None:  # http.server's own name
        wanted = self.headers["Range"]
        self.server.asked.append(wanted)
        if "/gone" in self.path:
            self.send_error(404)
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and self.server.ranges else 0
        body = self.server.body[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(self.server.body) - 1}/{len(self.server.body)}")
        self.end_headers()
        if self.server.cut_after:
            self.wfile.write(body[: self.server.cut_after])
            self.wfile.flush()
            if self.server.stall:
                self.server.released.wait(60)
            self.close_connection = True
            return
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Print nothing."""


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Upstream()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models" / "finder" / "net.onnx"


def files(target: Path) -> set[str]:
    return {path.name for path in target.parent.iterdir()}


def test_a_model_is_fetched_whole_and_nothing_else_is_left(upstream: Upstream, target: Path) -> None:
    told: list[int] = []
    pull(upstream.model(), target, told.append)
    assert target.read_bytes() == BODY
    assert files(target) == {"net.onnx"}
    assert (told[0], told[-1]) == (0, len(BODY))
    assert told == sorted(told)
    assert is_whole(upstream.model(), target)


def test_a_fetch_that_is_cut_off_goes_on_where_it_ended(upstream: Upstream, target: Path) -> None:
    upstream.cut_after = CUT
    with pytest.raises(PullFailed, match=f"it ended after {CUT} of {len(BODY)} bytes; ask again to go on from there"):
        pull(upstream.model(), target)
    assert not target.exists()
    upstream.cut_after = 0
    told: list[int] = []
    pull(upstream.model(), target, told.append)
    assert upstream.asked == [None, f"bytes={CUT}-"]
    assert told[0] == CUT
    assert target.read_bytes() == BODY
    assert files(target) == {"net.onnx"}


def test_a_server_that_knows_no_ranges_is_asked_for_all_of_it_again(upstream: Upstream, target: Path) -> None:
    upstream.cut_after = CUT
    with pytest.raises(PullFailed):
        pull(upstream.model(), target)
    upstream.cut_after, upstream.ranges = 0, False
    pull(upstream.model(), target)
    assert upstream.asked[1] == f"bytes={CUT}-"
    assert target.read_bytes() == BODY


def test_a_part_that_was_whole_already_is_put_in_place_without_asking(upstream: Upstream, target: Path) -> None:
    target.parent.mkdir(parents=True)
    part_path(target).write_bytes(BODY)
    pull(upstream.model(), target)
    assert upstream.asked == []
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("before", [None, b"the model of before"], ids=["none before", "one before"])
def test_a_wrong_hash_is_refused_and_what_was_there_before_stays(
    before: bytes | None, upstream: Upstream, target: Path
) -> None:
    target.parent.mkdir(parents=True)
    if before is not None:
        target.write_bytes(before)
    upstream.body = BODY[:-1] + b"!"
    with pytest.raises(PullFailed, match=r"its SHA-256 is [0-9a-f]{64}, expected [0-9a-f]{64}; nothing of it was kept"):
        pull(upstream.model(), target)
    assert (target.read_bytes() if target.exists() else None) == before
    assert part_path(target).stat().st_size == 0
    upstream.body = BODY
    pull(upstream.model(), target)
    assert target.read_bytes() == BODY


def test_a_part_of_another_version_is_refused_once_and_then_fetched_afresh(upstream: Upstream, target: Path) -> None:
    target.parent.mkdir(parents=True)
    part_path(target).write_bytes(b"?" * CUT)
    with pytest.raises(PullFailed, match="SHA-256"):
        pull(upstream.model(), target)
    pull(upstream.model(), target)
    assert upstream.asked == [f"bytes={CUT}-", None]
    assert target.read_bytes() == BODY


def test_more_than_the_size_is_refused_and_not_stored(upstream: Upstream, target: Path) -> None:
    upstream.body = BODY * 3
    with pytest.raises(PullFailed, match="larger than the 1048576 bytes it should be"):
        pull(upstream.model(), target)
    assert not target.exists()
    assert part_path(target).stat().st_size == 0


def test_less_than_the_size_is_told_as_cut_off(upstream: Upstream, target: Path) -> None:
    upstream.body = BODY[:1000]
    with pytest.raises(PullFailed, match="it ended after 1000 of 1048576 bytes"):
        pull(upstream.model(), target)
    assert not target.exists()


def test_what_the_server_says_is_passed_on(upstream: Upstream, target: Path) -> None:
    gone = upstream.model(url=f"http://127.0.0.1:{upstream.server_address[1]}/gone")
    with pytest.raises(PullFailed, match="answered 404 Not Found"):
        pull(gone, target)


def test_a_server_that_is_not_there_is_told(target: Path) -> None:
    with pytest.raises(PullFailed, match=r"http://127\.0\.0\.1:1/net\.onnx cannot be reached \(.*refused"):
        pull(ModelFile("net.onnx", "ab" * 32, 4, "http://127.0.0.1:1/net.onnx", "MIT"), target)


def test_a_folder_that_cannot_be_written_is_told(upstream: Upstream, tmp_path: Path) -> None:
    (tmp_path / "models").write_bytes(b"a file where the folder should be")
    with pytest.raises(PullFailed, match="cannot be written"):
        pull(upstream.model(), tmp_path / "models" / "finder" / "net.onnx")


KILLED = """
import sys
from pathlib import Path
from app.domain.plugin import ModelFile
from app.registry.pull import pull
file, sha256, size, url, license, target = sys.argv[1:]
pull(ModelFile(file, sha256, int(size), url, license), Path(target))
"""


def test_a_fetch_killed_in_the_middle_leaves_what_was_there_and_goes_on_the_next_time(
    upstream: Upstream, target: Path, wait_until: Callable[..., Any]
) -> None:
    target.parent.mkdir(parents=True)
    target.write_bytes(b"the model of before")
    upstream.cut_after, upstream.stall = CUT, True
    model = upstream.model()
    facts = [model.file, model.sha256, str(model.size), model.url, model.license, str(target)]
    with subprocess.Popen([sys.executable, "-c", KILLED, *facts]) as process:
        part = part_path(target)
        wait_until(lambda: part.exists() and part.stat().st_size > 0, "the first bytes")
        with pytest.raises(PullFailed, match="another process is fetching it already"):
            pull(model, target)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert target.read_bytes() == b"the model of before"
    here = part.stat().st_size
    upstream.released.set()
    upstream.cut_after, upstream.stall = 0, False
    pull(model, target)
    assert upstream.asked == [None, f"bytes={here}-"]
    assert target.read_bytes() == BODY
    assert files(target) == {"net.onnx"}


def test_a_local_copy_is_held_to_the_same_size_and_hash(upstream: Upstream, target: Path, tmp_path: Path) -> None:
    copy = tmp_path / "download.onnx"
    for wrong, words in ((BODY[:-1], "it ended after"), (BODY + b"!", "larger than"), (BODY[:-1] + b"!", "SHA-256")):
        copy.write_bytes(wrong)
        with pytest.raises(PullFailed, match=words):
            take(upstream.model(), target, copy)
        assert not target.exists()
    copy.write_bytes(BODY)
    take(upstream.model(), target, copy)
    assert target.read_bytes() == BODY
    assert copy.read_bytes() == BODY
    assert upstream.asked == []
    with pytest.raises(PullFailed, match="cannot be read"):
        take(upstream.model(), target, tmp_path / "none.onnx")
