"""The commands a newcomer types first, and what the test suite itself promises: no silent skip in CI."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROMISED = {"run", "test", "lint", "soak", "baselines", "lock", "help"}


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder with a space in its name that holds what `make` reads, and no environment."""
    folder = tmp_path / "a fresh clone"
    folder.mkdir()
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def make(folder: Path, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run make as a newcomer would."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "PYTHON"))}
    environment |= {"PATH": path} if path else {}
    command = [shutil.which("make") or "make", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)


def test_make_help_lists_every_promised_command_with_what_it_does(bare: Path) -> None:
    listed = dict(re.findall(r"^make (\w+) +(\S.+)$", make(bare, "help").stdout, re.MULTILINE))
    assert set(listed) >= PROMISED
    assert all(len(said.split()) >= 3 for said in listed.values())


def test_a_python_that_is_none_is_refused_in_a_clear_sentence(bare: Path) -> None:
    answer = make(bare, "setup", "PYTHON=/nowhere/python3")
    assert answer.returncode == 2
    assert "Sightline needs Python 3.11 or newer with its venv module, and found none in /nowhere/python3." in answer.stderr
    assert not (bare / ".venv").exists()


def test_a_python_too_old_is_refused_though_it_is_the_only_one(bare: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "cat", "rm", "awk"):
        (tools / name).symlink_to(shutil.which(name) or name)
    old = tools / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    answer = make(bare, "setup", path=str(tools))
    assert answer.returncode == 2
    assert "and found none." in answer.stderr


def test_an_environment_that_is_up_to_date_is_left_alone(bare: Path) -> None:
    (bare / ".venv").mkdir()
    (bare / ".venv" / ".installed").write_text(f"{bare}\n")
    assert make(bare, "--question", "setup").returncode == 0
    os.utime(bare / "requirements.lock", (2e9, 2e9))
    assert make(bare, "--question", "setup").returncode == 1


def test_an_environment_that_was_moved_is_set_up_afresh(bare: Path) -> None:
    (bare / ".venv").mkdir()
    (bare / ".venv" / ".installed").write_text("/where/it/was/before\n")
    assert make(bare, "--question", "setup").returncode == 1


def test_every_pinned_package_has_its_hashes_and_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    pinned = re.findall(r"^[\w.\-\[\]]+==.*?(?=^[\w.\-\[\]]+==|\Z)", lock, re.MULTILINE | re.DOTALL)
    assert len(pinned) > 40
    assert [package.split()[0] for package in pinned if "--hash=sha256:" not in package] == []
    assert "://" not in lock


def test_the_ci_script_can_be_run_and_reads_as_bash() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", script]).returncode == 0


@pytest.mark.parametrize(
    ("marker", "ci", "outcome"),
    [
        ("browser", "true", "1 failed"),
        ("postgres", "true", "1 failed"),
        ("browser", "", "1 skipped"),
        ("shared", "true", "1 skipped"),
    ],
)
def test_a_skip_that_ci_could_avoid_is_a_failure_there(marker: str, ci: str, outcome: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    skipping = f'import pytest\n\n\n@pytest.mark.{marker}\ndef test_it():\n    pytest.skip("it is not here")\n'
    (tmp_path / "test_it.py").write_text(skipping)
    quiet = ["-p", "no:cacheprovider", "-W", "ignore", "--rootdir", str(tmp_path)]
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", *quiet, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | {"CI": ci, "SIGHTLINE_CI": ""},
    )
    assert outcome in answer.stdout
    assert ("must not skip in CI" in answer.stdout) == (outcome == "1 failed")
