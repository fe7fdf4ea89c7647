"""Shows that each import contract holds here, and that it catches the breach it is there for."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONTRACTS = {
    contract["id"]: contract["name"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}
BREACHES = {  # a file, the import planted in it, the contract that must name it, and the words it must name it with
    "an upward import": ("app/store/engine.py", "import app.web.errors", "layers", "app.store.engine -> app.web.errors"),
    "a noun that knows a part": ("app/domain/job.py", "import app.store.jobs", "layers", "app.domain.job -> app.store.jobs"),
    "a sibling": ("app/media/probe.py", "import app.registry.discover", "layers", "app.media.probe -> app.registry.discover"),
    "an action that knows the web": (
        "app/actions/cancel.py",
        "import app.web.errors",
        "layers",
        "app.actions.cancel -> app.web",
    ),
    "a part nobody placed": ("app/extras.py", '"""Is in no layer."""', "layers", "app.extras"),
    "settings read in a part": ("app/web/errors.py", "import app.settings", "settings", "app.web.errors -> app.settings"),
    "a worker on SQLAlchemy": ("app/engine/worker.py", "import sqlalchemy", "diet", "app.engine.worker -> sqlalchemy"),
    "a worker on the store, by way of its bench": ("app/engine/stages.py", "import app.store.jobs", "diet", "app.store.jobs"),
    "a pydantic noun": ("app/domain/geometry.py", "import pydantic", "diet", "app.domain.geometry -> pydantic"),
    "a client on the store": ("app/client/feed.py", "import app.store.jobs", "diet", "app.client.feed -> app.store.jobs"),
    "an SDK on Starlette": ("app/sdk.py", "import starlette", "diet", "app.sdk -> starlette"),
    "a worker on Ray": ("app/engine/worker.py", "import ray", "diet", "app.engine.worker -> ray"),
    "a worker on sse-starlette": ("app/engine/worker.py", "import sse_starlette", "diet", "app.engine.worker -> sse_starlette"),
    "a worker on Jinja2": ("app/engine/worker.py", "import jinja2", "diet", "app.engine.worker -> jinja2"),
    "ONNX Runtime outside its file": (
        "app/devices/opencv.py",
        "import onnxruntime",
        "optional",
        "app.devices.opencv -> onnxruntime",
    ),
    "a plugin that reaches for a noun": (
        "plugins/people_hog/plugin.py",
        "import app.domain.job",
        "plugins",
        "plugins.people_hog.plugin -> app.domain.job",
    ),
    "a plugin that reaches for the store": (
        "plugins/motion_mog2/plugin.py",
        "from app.store import jobs",
        "plugins",
        "plugins.motion_mog2.plugin -> app.store.jobs",
    ),
}


def lint(folder: Path, contract: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run lint-imports on a tree, for one contract or all of them.

    Without `-S` an editable install would lay this checkout's plugins over the tree's.
    """
    chosen = ["--contract", contract] if contract else []
    entry = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-S", "-c", entry, "--no-cache", "--no-logo", *chosen]
    paths = os.pathsep.join([str(folder), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    environment = {"PYTHONPATH": paths, "COLUMNS": "200"}  # wide, so that no name is broken in two
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the contracts look at."""
    for folder in ("app", "plugins"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_is_kept_here() -> None:
    answer = lint(ROOT)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in answer.stdout


@pytest.mark.parametrize("breach", BREACHES)
def test_a_planted_breach_is_named(breach: str, tree: Path) -> None:
    file, planted, contract, words = BREACHES[breach]
    path = tree / file
    path.write_text(f"{path.read_text() if path.exists() else ''}\n{planted}\n")
    answer = lint(tree, contract)
    told = answer.stdout + answer.stderr
    assert answer.returncode == 1, told
    assert CONTRACTS[contract] in told
    assert words in told


def test_every_contract_has_its_breach() -> None:
    assert {contract for _, _, contract, _ in BREACHES.values()} == set(CONTRACTS)
