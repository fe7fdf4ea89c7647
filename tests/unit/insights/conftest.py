"""Fixtures of the feed's tests: a log in memory and a hub that ticks without waiting."""

import pytest

from app.domain.job import JobStatus
from app.insights.hub import Hub
from app.insights.log import MemoryFactLog
from tests.unit.insights.reader import status, warning


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Run the tests marked `anyio` on both event loops the server may have: their timers differ."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
def log() -> MemoryFactLog:
    """A log with no facts."""
    return MemoryFactLog()


@pytest.fixture
def hub(log: MemoryFactLog) -> Hub:
    """A hub over the log."""
    return Hub(log, window_s=0.0)


@pytest.fixture
def told(log: MemoryFactLog) -> MemoryFactLog:
    """A log of two jobs: `a` runs (1, 2, 4), `b` has failed (3, 5, 6)."""
    for fact in (
        status("a", JobStatus.QUEUED), status("a", JobStatus.RUNNING, JobStatus.QUEUED), status("b", JobStatus.QUEUED),
        warning("a"), warning("b"), status("b", JobStatus.FAILED, JobStatus.RUNNING),
    ):  # fmt: skip
        log.append(fact)
    return log
