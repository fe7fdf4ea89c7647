"""The fixtures for plugins' own tests: they come with the package, stay out of the way, and say what is wrong."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

from app.testing import CHECKS, LONG_CHECKS
from tests.conftest import ROOT
from tests.unit.testing.conftest import MakeBright

TEST = '''\
"""The plugin held to what the engine relies on."""

from app.sdk import Detections


def test_it_keeps_what_a_plugin_promises(plugin_check):
    plugin_check()


def test_its_threshold(harness):
    run = harness.run(harness.frames[:3])
    assert all(isinstance(given, Detections) for given in run.given)
'''


def entry_point() -> str:
    """The module that pytest loads beside Sightline, as pyproject.toml names it; the installed one may be an older one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return str(project["entry-points"]["pytest11"]["sightline"])


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest as a stranger does: in the plugin's folder, with nothing of this checkout's settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "SIGHTLINE"))}
    plugins = ["-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:sightline", "-p", entry_point()]
    command = [sys.executable, "-m", "pytest", *plugins, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)


def test_a_stranger_s_tests_have_the_fixtures_and_fail_with_the_bug_and_its_picture(make_bright: MakeBright) -> None:
    folder = make_bright()
    (folder / "test_bright.py").write_text(TEST)
    (folder.parent / "test_alone.py").write_text("def test_alone(harness):\n    pass\n")
    done = pytest_in(folder.parent, "-q", "-rs")
    quick = len(CHECKS) - len(LONG_CHECKS)
    assert f"{quick} passed, 1 skipped, 1 error" in done.stdout, done.stdout
    assert "it is stateless" in done.stdout
    assert "test_alone.py does not stand in a plugin's folder" in done.stdout
    (folder / "plugin.py").write_text((folder / "plugin.py").read_text().replace("0.87", "87"))
    done = pytest_in(folder, "-q", "-k", "gives-typed-outputs")
    assert done.returncode == 1
    assert "gives-typed-outputs: a confidence in per cent: confidence is 87" in done.stdout
    picture = done.stdout.partition("picture:")[2].split()[0]
    assert picture.endswith("bright-gives-typed-outputs-frame-0.png")


def test_a_project_with_a_package_called_app_keeps_its_own_tests(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("")
    (tmp_path / "app" / "prices.py").write_text("def twice(price):\n    return 2 * price\n")
    (tmp_path / "test_prices.py").write_text("from app.prices import twice\n\n\ndef test_twice():\n    assert twice(2) == 4\n")
    done = pytest_in(tmp_path, "-q")
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_what_every_pytest_run_imports_of_sightline_is_next_to_nothing() -> None:
    code = f"import sys; before = set(sys.modules); import {entry_point()}, json; "
    code += "print(json.dumps(sorted(set(sys.modules) - before)))"
    done = subprocess.run([sys.executable, "-c", f"import pytest; {code}"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == ["sightline_pytest"]
