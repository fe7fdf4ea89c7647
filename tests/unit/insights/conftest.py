"""Fixtures of the feed's tests: a log in memory and a hub that ticks without waiting."""

import pytest

from app.insights.hub import Hub
from app.insights.log import MemoryFactLog


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
