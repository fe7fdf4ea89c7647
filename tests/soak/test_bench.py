"""The bench itself runs, measures every row, and keeps its results without losing those of others; no number is asserted."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.record import Result, keep
from tests.conftest import ROOT

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]


def test_a_small_run_measures_every_row_of_the_engine() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.bench.engine", "--small"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    machine, *rows = done.stdout.splitlines()
    assert "cores" in machine
    assert all(row.startswith(("within ", "over ", "not measured ")) for row in rows)
    told = "\n".join(rows)
    for row in ("own cost", "decode only", "people_hog", "onnx_detector", "live watchers", "first overlay", "memory", "worker"):
        assert row in told


def test_results_are_kept_beside_those_of_other_benches(tmp_path: Path) -> None:
    kept = tmp_path / "RESULTS.md"
    keep("Engine", "a machine", [Result("cost", "≤ 1", "2", False)], to=kept)
    keep("Feed", "a machine", [Result("fan-out", "≤ 1", "1", True)], to=kept)
    keep("Engine", "another machine", [Result("cost", "≤ 1", "0.5", True), Result("install", "≤ 1", "", None)], to=kept)
    text = kept.read_text()
    assert text.count("## Engine") == text.count("## Feed") == 1
    assert "| cost | ≤ 1 | 0.5 | within |" in text
    assert "| fan-out | ≤ 1 | 1 | within |" in text
    assert "| cost | ≤ 1 | 2 | over |" not in text
    keep("Engine", "another machine", [Result("install", "≤ 1", "0.7", True, "1, 2")], to=kept)
    text = kept.read_text()
    assert text.count("## Engine") == text.count("| what |") - 1 == 1
    assert "| cost | ≤ 1 | 0.5 | within |" in text
    assert "| install | ≤ 1 | 0.7 | within | 1, 2 |" in text
    assert text.count("| install |") == 1
