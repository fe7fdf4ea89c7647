"""Plugins taken up again when their folder changes: new, edited, mended, broken and removed ones."""

import os
import shutil
from pathlib import Path

import pytest

from app.registry.discover import Catalogue
from app.registry.reload import Reloader
from tests.unit.registry.conftest import CODE, MakePlugin


@pytest.fixture
def catalogue(make_plugin: MakePlugin) -> Catalogue:
    """Two plugins in one folder."""
    make_plugin("one")
    return Catalogue.discover([make_plugin("two").parent], entry_points=False)


def edit(folder: Path, text: str, name: str = "plugin.py") -> None:
    """Write a file so that its time surely differs."""
    (folder / name).write_text(text)
    os.utime(folder / name, ns=(1, 10**18 + len(text)))


def test_nothing_is_taken_up_while_nothing_changes(catalogue: Catalogue) -> None:
    reloader, before = Reloader(catalogue), dict(catalogue.found)
    (catalogue.folder("one") / "__pycache__").mkdir()
    (catalogue.folder("one") / "__pycache__" / "plugin.pyc").write_bytes(b"x")
    assert reloader.look() in ((), ("one",))  # a folder's own time may tell
    assert reloader.look() == ()
    assert catalogue.found["two"] is before["two"]


def test_an_edit_is_taken_up_and_the_others_are_left_as_they_are(catalogue: Catalogue) -> None:
    reloader, other = Reloader(catalogue), catalogue.found["two"]
    folder = catalogue.folder("one")
    edit(folder, (folder / "plugin.toml").read_text().replace("1.2.3", "1.3.0"), "plugin.toml")
    assert reloader.look() == ("one",)
    assert catalogue.get("one").version == "1.3.0"
    assert catalogue.found["two"] is other


def test_an_edit_that_breaks_a_plugin_lists_it_as_broken_until_it_is_mended(catalogue: Catalogue) -> None:
    reloader, folder = Reloader(catalogue), catalogue.folder("one")
    edit(folder, f"{CODE}\nraise ValueError('half done')\n")
    assert reloader.look() == ("one",)
    assert catalogue.found["one"].reason == "its import failed: ValueError: half done"
    edit(folder, CODE)
    assert reloader.look() == ("one",)
    assert catalogue.get("one").id == "one"


def test_a_new_plugin_is_found_and_one_that_is_gone_is_not(catalogue: Catalogue, make_plugin: MakePlugin) -> None:
    reloader = Reloader(catalogue)
    make_plugin("three")
    shutil.rmtree(catalogue.folder("one"))
    assert reloader.look() == ("one", "three")
    assert list(catalogue.found) == ["three", "two"]
