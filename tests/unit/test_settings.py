"""Settings: what they are where nobody set them."""

import psutil
import pytest

from app.settings import Settings, default_workers


def test_a_worker_gets_its_share_of_the_machines_memory_and_never_more_than_four_gigabytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SIGHTLINE_WORKER_MEMORY_MB", raising=False)
    allowed = Settings().worker_memory_mb
    assert 1024 <= allowed <= 4096
    assert allowed == 1024 or allowed * default_workers() <= psutil.virtual_memory().total / 1_000_000
    monkeypatch.setenv("SIGHTLINE_WORKER_MEMORY_MB", "0")
    assert Settings().worker_memory_mb == 0
