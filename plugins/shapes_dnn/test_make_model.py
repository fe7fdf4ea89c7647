"""The script that trains the network, run as the README says: in an environment of its own, to the very bytes kept here."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import IN_CI

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]


@pytest.fixture
def python() -> Iterator[Path]:
    """The Python of an environment with what the README says to install; it is large, and gone at the end."""
    readme = (FOLDER / "README.md").read_text()
    _, wanted = next(line for line in readme.splitlines() if "pip install torch" in line).split("pip install ")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        made = Path(folder, "bin", "python")
        fetched = subprocess.run(
            [made, "-m", "pip", "install", "-q", *wanted.split()], check=False, capture_output=True, text=True
        )
        if fetched.returncode != 0:
            reason = f"what the script needs could not be fetched: {fetched.stderr.strip().splitlines()[-1]}"
            pytest.fail(reason) if IN_CI else pytest.skip(reason)
        yield made


def test_its_script_makes_the_very_same_model(python: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [python, "-m", "plugins.shapes_dnn.make_model", "--out", tmp_path / "shapes.onnx"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    assert (tmp_path / "shapes.onnx").read_bytes() == (FOLDER / "shapes.onnx").read_bytes()
