"""Models through the command line's door: listed, refused while missing, fetched, taken from a copy, and run."""

import contextlib
import hashlib
import json
import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, environment

Run = Callable[..., subprocess.CompletedProcess[str]]
DETECTOR = ROOT / "plugins" / "onnx_detector"
TINY = {"labels": "red,green", "width": "64", "height": "64", "confidence": "0.5", "overlap": "0.2"}
OURS = {"yolox_nano_416", "fastestdet_352", "yunet_n_320_320", "mnist"}


class Silent(SimpleHTTPRequestHandler):
    """Serves a folder's files and prints nothing."""

    def log_message(self, *_arguments: object) -> None:
        """Print nothing."""


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Path]:
    """A folder that is served on this machine; `address` in it holds where."""
    folder = tmp_path / "upstream"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    (folder / "address").write_text(f"http://127.0.0.1:{server.server_address[1]}")
    yield folder
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def finder(tmp_path: Path, upstream: Path) -> dict[str, str]:
    """A plugin of one's own whose model is the tiny detector, served by `upstream`; gives the environment that knows it."""
    folder = tmp_path / "plugins" / "finder"
    folder.mkdir(parents=True)
    body = (DETECTOR / "sample.onnx").read_bytes()
    (upstream / "tiny.onnx").write_bytes(body)
    toml, _, _ = (DETECTOR / "plugin.toml").read_text().partition("[[models]]")
    toml = toml.replace('id = "onnx_detector"', 'id = "finder"').replace('default = "yolox_nano_416"', 'default = "tiny"')
    model = {"file": "tiny.onnx", "sha256": hashlib.sha256(body).hexdigest(), "license": "MIT"}
    lines = [
        f'{name} = "{value}"' for name, value in {**model, "url": f"{(upstream / 'address').read_text()}/tiny.onnx"}.items()
    ]
    (folder / "plugin.toml").write_text(toml + "\n".join(["[[models]]", *lines, f"size = {len(body)}\n"]))
    for name in ("plugin.py", "layouts.py", "labels.py", "picture.py"):
        (folder / name).write_bytes((DETECTOR / name).read_bytes())
    return {"SIGHTLINE_PLUGINS_PATH": str(tmp_path / "plugins"), "NO_PROXY": "127.0.0.1", "SIGHTLINE_WORKERS": "1"}


def settings(stage: str, **options: str) -> list[str]:
    return [part for name, value in {**TINY, **options}.items() for part in ("--set", f"{stage}.{name}={value}")]


def test_every_model_is_listed_with_its_licence_and_that_it_is_not_here(sightline: Run) -> None:
    listed = json.loads(sightline("models", "list", "--json").stdout)
    assert {item["name"] for item in listed["items"]} == OURS
    assert {item["present"] for item in listed["items"]} == {False}
    assert {item["state"] for item in listed["items"]} == {"is not here"}
    table = sightline("models")
    assert "Apache-2.0" in table.stdout
    assert "sightline models pull NAME" in table.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("pull",), 2, "either one or more models, or --all"),
        (("pull", "mnist", "--all"), 2, "either one or more models, or --all"),
        (("pull", "nonesuch"), 2, "There is no model 'nonesuch'; the known ones are "),
        (("pull", "onnx_detector", "--from", __file__), 2, "--from takes one model; onnx_detector has several"),
        (("pull", "mnist", "--from", __file__), 1, "mnist was not fetched: "),
    ],
    ids=["nothing named", "a name and all", "an unknown name", "a copy for two", "a copy that is not it"],
)
def test_what_cannot_be_pulled_is_told_in_a_sentence(sightline: Run, arguments: tuple[str, ...], code: int, words: str) -> None:
    done = sightline("models", *arguments)
    assert done.returncode == code
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_missing_model_is_refused_at_submit_fetched_and_then_run(
    sightline: Run, finder: dict[str, str], upstream: Path
) -> None:
    sample = DETECTOR / "sample.png"
    refused = sightline("run", sample, "--plugin", "finder", env=finder)
    assert refused.returncode == 2
    assert "Stage 'finder' needs the model 'tiny', which is not here" in refused.stderr
    assert refused.stderr.strip().endswith("sightline models pull tiny")
    assert "is not here; fetch it: sightline models pull tiny" in sightline("plugins", "show", "finder", env=finder).stdout

    fetched = sightline("models", "pull", "tiny", env=finder)
    assert (fetched.returncode, fetched.stderr) == (0, "")
    about = (DETECTOR / "sample.onnx").read_bytes()
    for shown in (
        "tiny for finder: 0.0 MB, MIT",
        hashlib.sha256(about).hexdigest(),
        f"{(upstream / 'address').read_text()}/tiny",
    ):
        assert shown in fetched.stdout
    (upstream / "tiny.onnx").unlink()  # what is here is not asked for again
    assert "is here already" in sightline("models", "pull", "tiny", env=finder).stdout
    (shown,) = json.loads(sightline("plugins", "show", "finder", "--json", env=finder).stdout)["models"]
    assert (shown["name"], shown["present"]) == ("tiny", True)

    done = sightline("run", sample, "--plugin", "finder", *settings("finder"), "--json", env=finder)
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)["breakdown"][0]
    assert row["summary"]["labels"] == {"green": {"frames": 1, "most": 1}, "red": {"frames": 1, "most": 2}}
    assert row["device"]["used"] == "cpu"


def on_a_terminal(command: list[Any], **where: Any) -> tuple[int, str]:
    """Run a command whose standard error is a terminal; gives its exit status and what that terminal was told."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, **where) as process:
        os.close(theirs)
        said = b""
        with contextlib.suppress(OSError):  # how a terminal says that its last writer is gone
            while piece := os.read(ours, 65536):
                said += piece
        os.close(ours)
    return process.returncode, said.decode()


def test_all_models_are_fetched_at_once_with_a_bar_on_a_terminal_and_none_twice(
    sightline: Run, finder: dict[str, str], shared: Path, tmp_path: Path
) -> None:
    for name in OURS:
        taken = sightline("models", "pull", name, "--from", shared / "models" / f"{name}.onnx", env=finder)
        assert (taken.returncode, taken.stderr) == (0, "")
    terminal = {"TERM": "xterm", "COLUMNS": "100"}
    command = [sys.executable, "-m", "app", "models", "pull", "--all"]
    code, drawn = on_a_terminal(command, cwd=ROOT, env=environment(tmp_path / "home", finder | terminal))
    assert code == 0, drawn
    assert re.search(r"━.*/34\.1 kB", drawn)  # the bar of the one that was missing
    listed = json.loads(sightline("models", "list", "--json", env=finder).stdout)["items"]
    assert {item["name"] for item in listed if item["present"]} == {*OURS, "tiny"}
    again = sightline("models", "pull", "--all", env=finder)
    assert (again.returncode, again.stdout.count("is here already")) == (0, len(listed))


def test_a_model_that_is_not_what_its_manifest_says_is_not_kept(
    sightline: Run, finder: dict[str, str], upstream: Path, tmp_path: Path
) -> None:
    body = (upstream / "tiny.onnx").read_bytes()
    (upstream / "tiny.onnx").write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
    refused = sightline("models", "pull", "tiny", env=finder)
    assert refused.returncode == 1
    assert "nothing of it was kept" in refused.stderr
    assert not (tmp_path / "home" / "models" / "finder" / "tiny.onnx").exists()
    (tmp_path / "copy.onnx").write_bytes(body)
    taken = sightline("models", "pull", "tiny", "--from", tmp_path / "copy.onnx", env=finder)
    assert taken.returncode == 0, taken.stderr
    assert (tmp_path / "home" / "models" / "finder" / "tiny.onnx").read_bytes() == body


def test_a_model_of_one_s_own_is_named_by_its_path(sightline: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").write_bytes((DETECTOR / "sample.onnx").read_bytes())
    stage = settings("onnx_detector", model=str(tmp_path / "mine.onnx"))
    done = sightline("run", DETECTOR / "sample.png", "--plugin", "onnx_detector", *stage, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["breakdown"][0]["summary"]["frames_with_detections"] == 1
    gone = settings("onnx_detector", model=str(tmp_path / "gone.onnx"))
    refused = sightline("run", DETECTOR / "sample.png", "--plugin", "onnx_detector", *gone)
    assert refused.returncode == 2
    assert "or a file, and there is none" in refused.stderr


def test_the_known_models_are_taken_from_copies_and_find_people(sightline: Run, shared: Path) -> None:
    copied = sightline("models", "pull", "yolox_nano_416", "--from", shared / "models" / "yolox_nano_416.onnx")
    assert copied.returncode == 0, copied.stderr
    done = sightline("run", shared / "video" / "opossum_snow_short.mp4", "--plugin", "onnx_detector", "--json")
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)["breakdown"][0]
    assert (row["frames"], row["soft_failures"]) == (35, 0)
    assert row["summary"]["frames"] == 35
