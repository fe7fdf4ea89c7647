"""axe-core as the tests of the pages use it: installed from its lock, run on a page, its findings as short words."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

LOCK = Path(__file__).parent / "axe"


def source_of_axe(folder: Path) -> str:
    """Install axe-core, of the version that is locked, into a folder; give its source. Skips where it cannot be had."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LOCK / name, folder)
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm here to install axe-core with")
    done = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True, timeout=120
    )
    if done.returncode:
        pytest.skip(f"axe-core could not be installed: {done.stderr.strip().splitlines()[-1:]}")
    return (folder / "node_modules/axe-core/axe.min.js").read_text()


def flaws_of(page: Any, axe: str) -> list[tuple[str, list[str]]]:
    """Say what axe-core finds wrong with a page as it is now: each rule with the first elements that break it."""
    page.wait_for_load_state("load")  # its styles count
    page.evaluate(axe)
    told = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [(flaw["id"], [node["html"][:160] for node in flaw["nodes"][:3]]) for flaw in told["violations"]]
