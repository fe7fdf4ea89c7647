"""Plugins through the door: held to the rules by the command line, and broken ones that stop nothing in a server."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli import main
from app.registry.manifest import manifest_schema
from tests.conftest import ROOT, Servers
from tests.unit.registry.conftest import CODE, MakePlugin, make_plugin
from tests.unit.testing.conftest import MakeBright, bright_clip, make_bright

__all__ = ["bright_clip", "make_bright", "make_plugin"]
Run = Callable[..., subprocess.CompletedProcess[str]]


def command(*arguments: object) -> Result:
    """Run the command line within this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_validating_a_plugin_prints_what_is_wrong_where_and_the_cure(sightline: Run, make_plugin: MakePlugin) -> None:
    folder = make_plugin(code=f"{CODE}\nimport no_such_library\n")
    done = sightline("plugins", "validate", folder)
    assert done.returncode == 1, done.stderr
    assert "nothing/plugin.py:18: error its import failed: ModuleNotFoundError" in done.stdout
    assert "[entry-can-be-imported]" in done.stdout
    assert "nothing/README.md: warning it has no README.md" in done.stdout
    assert "nothing: 1 error, 4 warnings." in done.stdout
    items = json.loads(command("plugins", "validate", folder, "--json").output)["items"]
    assert items[0] == {
        "plugin": "nothing", "rule": "entry-can-be-imported", "severity": "error", "path": "plugin.py:18",
        "message": "its import failed: ModuleNotFoundError: No module named 'no_such_library'",
        "cure": "Import it by hand and mend what it says; what it needs must be installed beside Sightline.",
    }  # fmt: skip


def test_warnings_alone_leave_a_plugin_valid_unless_asked_to_be_strict(make_plugin: MakePlugin) -> None:
    folder = make_plugin()
    assert command("plugins", "validate", folder).exit_code == 0
    assert command("plugins", "validate", folder, "--strict").exit_code == 1
    nowhere = command("plugins", "validate", folder.parent.parent)
    assert (nowhere.exit_code, "There is no plugin.toml in" in nowhere.output) == (2, True)


def test_all_plugins_of_a_folder_are_validated_and_ours_keep_every_rule() -> None:
    done = command("plugins", "validate", ROOT / "plugins", "--strict")
    assert done.exit_code == 0, done.output
    ours = sorted(path.parent.name for path in (ROOT / "plugins").glob("*/plugin.toml"))
    assert done.output.splitlines() == [f"{name}: every rule is kept." for name in ours]


def test_the_schema_of_the_manifest_is_printed() -> None:
    assert json.loads(command("plugins", "schema").output) == manifest_schema()


# ---- held to what the engine relies on


def test_testing_a_plugin_tells_check_by_check_what_holds_and_what_does_not(
    make_bright: MakeBright, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_HOME", str(tmp_path / "home"))
    folder = make_bright(("0.87", "87"))
    done = command("plugins", "test", folder, "--check", "prepares", "--check", "gives-typed-outputs")
    assert done.exit_code == 1, done.output
    lines = done.output.splitlines()
    assert lines[0] == "ok      prepares                2 instances, on cpu"
    assert lines[1].startswith("failed  gives-typed-outputs     a confidence in per cent: confidence is 87, expected")
    assert lines[1].endswith("(frame 0)")
    assert lines[-1] == "bright: 1 ok, 1 failed, 0 skipped."
    picture = next(line.split()[1] for line in lines if line.split()[0] == "picture:")
    assert picture == str(tmp_path / "home" / "failures" / "bright-gives-typed-outputs-frame-0.png")
    assert Path(picture).is_file()
    monkeypatch.setenv("SIGHTLINE_PLUGINS_PATH", str(folder.parent))
    done = command("plugins", "test", "bright", "--check", "gives-typed-outputs", "--json")
    (item,) = json.loads(done.output)["items"]
    assert (done.exit_code, item["check"], item["verdict"], item["frame"]) == (1, "gives-typed-outputs", "failed", 0)


def test_a_golden_output_is_accepted_on_the_command_line(make_bright: MakeBright) -> None:
    folder = make_bright(("0.87", "0.5"))
    done = command("plugins", "test", folder, "--accept", "--check", "gives-what-is-expected")
    assert done.exit_code == 0, done.output
    assert "accept                  expected.json holds 12 of 12 frames and the summary" in done.output
    assert '"confidence": 0.5' in (folder / "expected.json").read_text()


def test_a_bench_tells_the_percentiles_of_each_target_against_the_budget(
    make_bright: MakeBright, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    folder = make_bright(toml='devices = ["cuda", "cpu"]\n')
    done = command("plugins", "bench", folder, "--frames", "20")
    assert done.exit_code == 0, done.output
    assert "Bright things 1.0.0, 64×48, budget 1000 ms" in done.output
    assert all(word in done.output for word in ("p50 ms", "p95 ms", "p99 ms", "within its budget", "runs no network"))
    rows = json.loads(command("plugins", "bench", folder, "--frames", "20", "--json").output)["items"]
    assert [(row["target"], row["frames"]) for row in rows] == [("cuda", 0), ("cpu", 20)]


def test_a_plugin_that_is_not_there_cannot_be_tested() -> None:
    done = command("plugins", "test", "nobody")
    assert (done.exit_code, "There is no plugin 'nobody'" in done.output) == (2, True)


# ---- broken ones


def broken_ones(make_plugin: MakePlugin, endings: dict[str, str]) -> Path:
    """Make a folder of plugins: a good one, a second with a bundled one's id, and one for each ending of an import."""
    parent = make_plugin("good").parent
    make_plugin("motion_mog2", parent=parent)
    for name, line in endings.items():
        make_plugin(name, code=f"{CODE}\n{line}\n", parent=parent)
    return parent


def reasons(server: Any) -> dict[str, str]:
    with server.client() as client:
        return {item["id"]: item["reason"] for item in client.get("/v1/plugins").json()["items"] if item["broken"]}


def test_plugins_that_fail_at_import_are_listed_as_broken_and_everything_else_works(
    servers: Servers, make_plugin: MakePlugin, clip: Path, wait_until: Callable[..., Any]
) -> None:
    hang = "import time; time.sleep(3600)"
    endings = {"fails": "import no_such_library", "kills": "import os; os.abort()", "z_hangs": hang}
    parent = broken_ones(make_plugin, endings)
    server = servers.start(env={"SIGHTLINE_PLUGINS_PATH": str(parent)})
    wait_until(lambda: {"fails", "kills", "motion_mog2~2"} <= set(reasons(server)), "the three broken plugins to be told")
    told = reasons(server)
    assert told["fails"] == "its import failed: ModuleNotFoundError: No module named 'no_such_library'"
    assert told["kills"] == "its import killed the process (SIGABRT)"
    assert told["motion_mog2~2"].startswith("the id 'motion_mog2' is taken by the plugin found first, in ")
    with server.client() as client:
        page = client.get("/plugins").text
        assert all(told[name].split("'")[0] in page for name in ("fails", "kills", "motion_mog2~2"))
        page = client.get("/plugins/fails").text
        assert "plugin.py:18" in page
        assert "what it needs must be installed beside Sightline" in page
        with clip.open("rb") as file:
            refused = client.post("/v1/jobs", files={"file": file}, data={"plugins": "fails"})
        assert refused.status_code == 422
        assert "Plugin 'fails' is broken: its import failed" in refused.json()["detail"]
        with clip.open("rb") as file:
            job = client.post("/v1/jobs", files={"file": file}, data={"plugins": "good"}).raise_for_status().json()
        wait_until(lambda: client.get(f"/v1/jobs/{job['id']}").json()["status"] == "completed", "the good one's job")
    server.stop(patience_s=15)  # one plugin's import still hangs, and may for 30 s


@pytest.mark.soak
def test_a_plugin_that_hangs_at_import_is_listed_as_broken_in_time_and_stops_nothing(
    servers: Servers, make_plugin: MakePlugin, wait_until: Callable[..., Any]
) -> None:
    parent = broken_ones(make_plugin, {"hangs": "import time; time.sleep(3600)"})
    server = servers.start(env={"SIGHTLINE_PLUGINS_PATH": str(parent)})
    wait_until(lambda: "hangs" in reasons(server), "the plugin that hangs to be told")
    assert reasons(server)["hangs"] == "its import took longer than 30 s and was ended"
