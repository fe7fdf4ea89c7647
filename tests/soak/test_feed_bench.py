"""The bench of the feed still runs, and says what it is there to say."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.soak


def test_the_bench_of_the_feed_measures_everybody_there_is() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.bench.feed", "--quick"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| 50, ")]
    for who in ("Sightline", "a queue for each client"):
        assert sum(f"| {who} |" in row for row in rows) == 2
    assert "50 subscribers of whom 5 never read" in done.stdout
