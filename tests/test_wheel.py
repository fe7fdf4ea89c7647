"""The built wheel holds all it needs: installed in an empty environment, started from another folder, it serves the demo."""

import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[1]
CARRIED = ("templates", "static", "migrations", "plugins", "samples")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel with the build backend of this environment: no network, no isolation."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(folder.glob("sightline-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an empty environment that borrows this one's libraries, and give its `bin` folder."""
    folder = tmp_path_factory.mktemp("installed") / "an empty place"
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python), "install"]
    done = subprocess.run([*install, "--no-index", "--no-deps", "--quiet", str(wheel)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    asked = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    place = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    (Path(place) / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return folder / "bin"


def test_the_wheel_carries_what_it_serves_and_nothing_of_the_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for folder in CARRIED:
        inside = {name.removeprefix(f"app/bundled/{folder}/") for name in names if name.startswith(f"app/bundled/{folder}/")}
        here = subprocess.run(["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True).stdout.split()
        assert {name.removeprefix(f"{folder}/") for name in here} <= inside
    scaffolds = subprocess.run(["git", "ls-files", "app/registry/scaffolds"], cwd=ROOT, capture_output=True, text=True)
    assert scaffolds.stdout
    assert set(scaffolds.stdout.split()) <= set(names)
    assert [name for name in names if not name.startswith(("app/", "sightline-"))] == ["sightline_pytest.py"]
    assert [name for name in names if "__pycache__" in name] == []
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_an_installed_wheel_serves_the_demo_from_another_folder(
    installed: Path, servers: Any, wait_until: Callable[..., Any], tmp_path: Path
) -> None:
    where = [str(installed / "python"), "-c", "import app; print(app.__file__)"]
    assert str(installed.parent) in subprocess.run(where, capture_output=True, text=True, check=True, cwd=tmp_path).stdout

    server = servers.start("--demo", command=(str(installed / "sightline"),))
    with server.client() as client:

        def demo() -> dict[str, Any] | None:
            items = client.get("/v1/jobs").raise_for_status().json()["items"]
            return next((job for job in items if job["frames_done"] > 0), None)

        job = wait_until(demo, "frames of the demo job")
        assert job["status"] in {"running", "finalizing", "completed"}
        assert job["error"] is None
        page = client.get("/", headers={"accept": "text/html"})
        assert page.status_code == 200
        assert "new-job-form" in page.text
        styles = re.findall(r'href="(/static/[^"]+\.css[^"]*)"', page.text)
        assert styles
        assert all(client.get(address).status_code == httpx.codes.OK for address in styles)
