"""A plugin from nothing: scaffolded, written by the tutorial, brought by a package; each runs without an edit here."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from app.cli import main
from app.testing import CHECKS
from tests.conftest import ROOT, Server, Servers

KINDS = ("detector", "classifier", "measure", "tracker")
LABEL = r'<text[^>]*class="label[^>]*>\s*red'
PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "acme-vision"
version = "2.1"

[project.entry-points."sightline.plugins"]
acme_things = "acme_vision.things.plugin:AcmeThings"
"""


def command(*arguments: object) -> Result:
    """Run the command line within this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("kind", KINDS)
def test_a_scaffolded_plugin_passes_validate_and_test_at_once(kind: str, tmp_path: Path) -> None:
    made = command("plugins", "new", "my_plugin", "--kind", kind, "--into", tmp_path, "--author", 'Ann "A" Other')
    assert made.exit_code == 0, made.output
    folder = tmp_path / "my_plugin"
    assert f"sightline plugins test {folder}" in made.output
    valid = command("plugins", "validate", folder, "--strict")
    assert (valid.exit_code, valid.output) == (0, "my_plugin: every rule is kept.\n")
    tested = command("plugins", "test", folder, "--json")
    verdicts = {item["check"]: item["verdict"] for item in json.loads(tested.output)["items"]}
    assert set(verdicts) == set(CHECKS)
    assert "failed" not in (verdict for check, verdict in verdicts.items() if check != "stays-in-budget"), tested.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my_plugin"]


def test_what_is_scaffolded_is_written_in_our_own_style(tmp_path: Path) -> None:
    for kind in KINDS:
        command("plugins", "new", f"my_{kind}", "--kind", kind, "--into", tmp_path)
    for check in (("check",), ("format", "--check")):
        ruff = [sys.executable, "-m", "ruff", *check, "--no-cache", "--config", str(ROOT / "pyproject.toml"), str(tmp_path)]
        done = subprocess.run(ruff, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_nothing_is_overwritten_and_no_id_taken_twice(tmp_path: Path) -> None:
    assert command("plugins", "new", "my_plugin", "--into", tmp_path).exit_code == 0
    (tmp_path / "my_plugin" / "plugin.py").write_text("mine\n")
    for plugin_id, reason in (
        ("my_plugin", "is there already, and nothing is overwritten"),
        ("people_hog", "its id is taken by the plugin found in"),
        ("My-Plugin", "an id has lower-case letters"),
    ):
        refused = command("plugins", "new", plugin_id, "--into", tmp_path)
        assert refused.exit_code == 2
        assert reason in refused.output
    assert (tmp_path / "my_plugin" / "plugin.py").read_text() == "mine\n"
    assert [path.name for path in tmp_path.iterdir()] == ["my_plugin"]


def test_a_package_s_plugin_has_its_form_validation_overlay_and_inspector(
    servers: Servers, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    package = tmp_path / "project" / "acme_vision"
    command("plugins", "new", "acme_things", "--into", package)
    (package / "acme_things").rename(package / "things")
    for folder in (package, package / "things"):
        (folder / "__init__.py").write_text('"""A package that brings a plugin."""\n')
    (package.parent / "pyproject.toml").write_text(PYPROJECT)
    site = tmp_path / "site"
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=package.parent, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-index", "--no-deps", "--quiet"]
    subprocess.run([*pip, "--target", str(site), str(wheel)], check=True, capture_output=True)
    server = servers.start(env={"PYTHONPATH": str(site)})
    with server.client() as client:
        about = client.get("/v1/plugins/acme_things").raise_for_status().json()
        assert (about["origin"], about["broken"]) == ("package acme-vision 2.1", False)
        assert [finding["rule"] for finding in about["findings"]] == ["folder-is-named-by-the-id"]
        assert 'value="acme_things"' in client.get("/").text
        assert "Least area" in client.get("/plugins/acme_things").text
        with (site / "acme_vision" / "things" / "sample.png").open("rb") as file:
            asked = {"files": {"file": file}, "data": {"plugins": "acme_things"}}
            job = client.post("/v1/jobs", **asked).raise_for_status().json()
        page = _shown(client, job["id"], wait_until)
        assert "bright" in page
        assert "acme_things" in page


def _shown(client: Any, job_id: str, wait_until: Callable[..., Any]) -> str:
    """Wait until the job is done, and give its page with the boxes of frame 0."""
    wait_until(lambda: client.get(f"/v1/jobs/{job_id}").json()["status"] == "completed", "the job")
    page: str = client.get(f"/jobs/{job_id}?frame=0").text
    assert 'id="overlay-boxes"' in page
    assert 'id="plugin-inspector"' in page
    return page


# ---- the tutorial, its commands and code as they stand on the page


def blocks() -> list[tuple[str, str, str]]:
    """Give the page's blocks: language, the file's name where one stands behind it, and the text."""
    page = (ROOT / "docs" / "PLUGINS.md").read_text()
    return re.findall(r"^```(\w+)[ ]?([\w./]*)\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)


def red_clip(path: Path) -> None:
    """Draw a clip on which a red thing moves."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 192, "yuv420p"
        for index in range(60):
            pixels = np.full((192, 320, 3), 90, np.uint8)
            cv2.rectangle(pixels, (20 + 3 * index, 60), (70 + 3 * index, 110), (20, 20, 230), -1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="bgr24")))
        container.mux(stream.encode())


def _live(server: Server, job_id: str) -> str:
    """Watch the job's page live until boxes with their label come; gives the message that brings them."""
    with server.client() as client, client.stream("GET", f"/live?page=job&job={job_id}") as stream:
        message = ""
        for line in stream.iter_lines():
            message = f"{message}{line}\n" if line else ""
            if re.search(LABEL, message):
                return message
    return "the feed ended without a box"


def _reloads(server: Server | None) -> int:
    return server.printed().count("was taken up again") if server else 0


def _more_reloads(server: Server, before: int) -> bool:
    return _reloads(server) > before


def test_the_tutorial_leads_from_nothing_to_boxes_on_a_job_page(
    servers: Servers, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    red_clip(work / "clip.mp4")
    bin_folder = Path(sys.executable).parent
    env = {**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "SIGHTLINE_HOME": str(tmp_path / "home")}
    server, shown = None, ""
    for language, name, text in blocks():
        if name:
            before = _reloads(server)
            (work / name).write_text(text)
            if server:
                wait_until(partial(_more_reloads, server, before), "the edit to be taken up")
        elif language == "sh" and "sightline serve" in text:
            plugins = {"SIGHTLINE_PLUGINS_PATH": str(work / "my_plugins")}
            assert "--reload-plugins" in text
            server = servers.start("--reload-plugins", home=tmp_path / "home", env=plugins)
        elif language == "sh":
            asked = text.replace("http://127.0.0.1:8000", server.url if server else "")
            done = subprocess.run(["sh", "-ec", asked], cwd=work, env=env, capture_output=True, text=True)
            assert done.returncode == 0, f"{asked}\n{done.stdout}{done.stderr}"
            if server and not shown:
                shown = _live(server, json.loads(done.stdout)["id"])
    assert server is not None
    assert 'id="overlay-boxes"' in shown
    with server.client() as client:
        first, second = sorted(client.get("/v1/jobs").json()["items"], key=lambda job: job["created_at"])
        for job in (first, second):
            assert re.search(LABEL, _shown(client, job["id"], wait_until))
        versions = [client.get(f"/v1/jobs/{job['id']}").json()["breakdown"][0]["version"] for job in (first, second)]
        assert versions == ["0.1.0", "0.2.0"]  # the edit was taken up without a restart
