"""What pytest loads of Sightline in every run beside it: nothing, until tests stand in a plugin's folder.

It is a module by itself, for a project beside Sightline may have a package called `app` too, and its tests must find that one.
"""

from pathlib import Path

import pytest

FIXTURES = "app.testing.fixtures"


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> None:
    """Bring the fixtures where a plugin.toml stands beside the tests or above them."""
    plugins = parent.config.pluginmanager
    if any((folder / "plugin.toml").is_file() for folder in module_path.parents) and not plugins.has_plugin(FIXTURES):
        plugins.import_plugin(FIXTURES)
