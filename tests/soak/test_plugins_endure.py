"""Our own plugins over a thousand frames: nothing is left behind."""

from pathlib import Path

import pytest

from app.testing.harness import Harness

ROOT = Path(__file__).parents[2]


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "folder", [path.parent for path in sorted(ROOT.glob("plugins/*/plugin.toml"))], ids=lambda path: path.name
)
def test_a_thousand_frames_leave_nothing_behind(folder: Path) -> None:
    with Harness(folder) as harness:
        harness.check("leaks-nothing")
