"""A plugin made for a test, with its sample and its golden output, each part of which a test can spoil."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from app.testing.harness import Harness
from tests.conftest import write_clip

TOML = """\
# A plugin made for a test.
id = "bright"
name = "Bright things"
version = "1.0.0"
description = "Boxes the brightest thing."
author = "Test"
license = "Apache-2.0"
entry = "plugin:Bright"
capabilities = ["detect"]
output = "detections"
latency_budget_ms = 1000
"""
CODE = '''\
"""Boxes the brightest thing on a frame."""

import numpy as np

from app.sdk import Box, Detection, Detections


class Bright:
    """Finds what is brighter than a threshold."""

    def prepare(self, context):
        self.threshold = 200

    def process_frame(self, frame):
        rows, columns = np.nonzero(frame.pixels[..., 1] > self.threshold)
        if not len(rows):
            return Detections(())
        x, y = int(columns.min()), int(rows.min())
        box = Box.from_pixels(x, y, int(columns.max()) + 1 - x, int(rows.max()) + 1 - y, frame.size)
        return Detections((Detection("bright", 0.87, box),))

    def finalize(self, outputs):
        return {"things": sum(len(row.output.detections) for row in outputs)}
'''
MakeBright = Callable[..., Path]


@pytest.fixture(scope="session")
def bright_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 12 frames, 64×48, with one bright square that moves."""
    return write_clip(tmp_path_factory.mktemp("sample") / "sample.mp4", frames=12, size=(64, 48))


@pytest.fixture
def make_bright(tmp_path: Path, bright_clip: Path) -> MakeBright:
    """Write the plugin's folder with a clip as its sample; `changes` of its code are (before, after)."""

    def make(*changes: tuple[str, str], toml: str = "", golden: dict[str, Any] | None = None, code: str = CODE) -> Path:
        folder = tmp_path / "bright"
        folder.mkdir()
        for before, after in changes:
            assert before in code
            code = code.replace(before, after)
        (folder / "plugin.py").write_text(CODE)
        (folder / "plugin.toml").write_text(TOML + toml)
        (folder / "sample.mp4").write_bytes(bright_clip.read_bytes())
        (folder / "expected.json").write_text(json.dumps(golden or as_it_is(folder)))
        (folder / "plugin.py").write_text(code)
        return folder

    return make


def as_it_is(folder: Path) -> dict[str, Any]:
    """Give the golden output of the plugin as it is."""
    import msgspec

    with Harness(folder) as harness:
        run = harness.run(harness.every_frame())
        summary = harness.sum_up(zip(run.frames, run.given, strict=True)).summary
    frames = [{"frame_index": n, "output": msgspec.to_builtins(given)} for n, given in enumerate(run.given)]
    return {"sample": "sample.mp4", "tolerance": {"box": 0.01}, "summary": summary, "frames": frames}


def pixels_of(picture: Path) -> np.ndarray:
    """Read a picture of a failure."""
    found = cv2.imread(str(picture))
    assert found is not None
    return found
