"""The heart of the end-to-end tests once more, with Postgres under servers and commands; `make soak` runs all there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, TEST_POSTGRES
from tests.postgres import Postgres

E2E = Path(__file__).parent.relative_to(ROOT)
HEART = (
    "test_jobs.py::test_every_frame_of_a_clip_is_handled_once_and_in_order",
    "test_jobs.py::test_a_retried_job_keeps_its_id_and_what_was_committed",
    "test_jobs.py::test_a_server_killed_in_the_middle_goes_on_by_itself_when_it_is_back",
    "test_live_feed.py::test_cut_at_any_point_and_resumed_no_fact_is_missing_or_doubled",
    "test_run.py::test_a_run_prints_exactly_the_job_and_writes_its_frames",
    "test_run.py::test_the_doctor_says_how_things_are_line_by_line",
)
NOT_THERE = {"test_postgres.py", "test_cuda.py"}  # this one, and one that keeps nothing
THERE = sorted({path.name for path in Path(__file__).parent.glob("test_*.py")} - NOT_THERE)


def run_on(postgres: Postgres, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run tests in a process of its own that keeps every history in this Postgres."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--database", "postgres", *arguments]
    environment = os.environ | {TEST_POSTGRES: postgres.address}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.timeout(400)
def test_jobs_runs_and_the_feed_work_on_postgres(postgres: Postgres) -> None:
    done = run_on(postgres, *(f"{E2E}/{test}" for test in HEART))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(HEART)} passed" in done.stdout


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("place", [*(f"e2e/{name}" for name in THERE), "web", "unit/actions"])
def test_what_goes_through_a_door_passes_on_postgres(place: str, postgres: Postgres) -> None:
    chosen = "not soak" if place.startswith("e2e") else "not soak and not browser"
    done = run_on(postgres, f"tests/{place}", "-m", chosen)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Postgres" not in done.stdout  # none was skipped for want of it
