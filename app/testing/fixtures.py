"""pytest fixtures for the test that stands in a plugin's folder; everything heavy is imported when one is asked for."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from app.testing import CHECKS, LONG_CHECKS

if TYPE_CHECKING:
    from app.testing.harness import Harness

_QUICK = tuple(name for name in CHECKS if name not in LONG_CHECKS)


@pytest.fixture(scope="module")
def harness(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Harness]":
    """The harness of the plugin in whose folder the tests stand; pictures of failures go to a folder of pytest's."""
    from app.testing.harness import Harness  # noqa: PLC0415  # not before a test asks for it

    folder = next((folder for folder in request.path.parents if (folder / "plugin.toml").is_file()), None)
    if folder is None:
        pytest.fail(f"{request.path.name} does not stand in a plugin's folder: there is no plugin.toml beside or above it")
    with Harness(folder, pictures=tmp_path_factory.mktemp("failures")) as made:
        yield made


@pytest.fixture(params=_QUICK)
def plugin_check(request: pytest.FixtureRequest, harness: "Harness") -> Callable[[], str]:
    """Each quick check in turn: call it, and it fails with the bug's name; it skips where it says nothing."""
    from app.testing.failure import NotApplicable  # noqa: PLC0415  # not before a test asks for it

    def check() -> str:
        try:
            return harness.check(request.param)
        except NotApplicable as reason:
            pytest.skip(str(reason))

    return check
