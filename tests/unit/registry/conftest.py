"""Plugins made for a test: whole folders on disk, each part of which a test can spoil."""

from collections.abc import Callable
from pathlib import Path

import pytest

MANIFEST = """\
# A plugin made for a test.
id = "{id}"
name = "Test plugin"
version = "1.2.3"
description = "Finds nothing."
author = "Test"
license = "Apache-2.0"
entry = "plugin:Nothing"
capabilities = ["detect"]
output = "detections"
latency_budget_ms = 5
"""

CODE = '''\
"""Finds nothing."""

from app.sdk import Detections


class Nothing:
    """Finds nothing."""

    def prepare(self, context):
        self.folder = context.folder

    def process_frame(self, frame):
        return Detections(())

    def finalize(self, outputs):
        return {}
'''

MakePlugin = Callable[..., Path]


@pytest.fixture
def make_plugin(tmp_path: Path) -> MakePlugin:
    """Give a function that writes a plugin's folder and returns it; `toml` is added to the manifest."""

    def make(plugin_id: str = "nothing", *, toml: str = "", code: str = CODE, parent: Path | None = None) -> Path:
        folder = (parent or tmp_path / "plugins") / plugin_id
        folder.mkdir(parents=True)
        (folder / "plugin.toml").write_text(MANIFEST.format(id=plugin_id) + toml)
        (folder / "plugin.py").write_text(code)
        return folder

    return make
