"""Fixtures of the feed's tests: a log in memory and a hub that ticks without waiting."""

import pytest

from app.domain.job import JobStatus
from app.insights.hub import Hub
from app.insights.log import MemoryFactLog
from tests.unit.insights.reader import status, warning


@pytest.fixture
def anyio_backend() -> str:
    """Run the tests marked `anyio` on asyncio, as the server does."""
    return "asyncio"


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
