"""Holds docs/LICENCES.md to requirements.lock and to what the installed packages say of their licences."""

import re
import tomllib

import pytest

from tests import licences
from tests.licences import PAGE, ROOT, WHY, Locked, Unknown, copyleft_among, licence_of, locked, page, parts_of


def test_the_list_of_licences_is_as_it_would_be_written_now() -> None:
    assert (ROOT / PAGE).read_text(encoding="utf-8") == page(), "write it again: make licences"


def test_every_locked_package_has_its_row_once() -> None:
    rows = re.findall(r"^\| ([a-z0-9-]+) \| ([\d.]+)(?: \(.*?\))? \| .+ \| .+ \|$", (ROOT / PAGE).read_text(), re.MULTILINE)
    assert sorted(rows) == sorted((entry.name, entry.version) for entry in locked())


def test_every_direct_dependency_says_why_it_is_here() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    named = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    named += [need for needs in project["project"]["optional-dependencies"].values() for need in needs]
    assert {re.split(r"[\[<>=;]", need)[0] for need in named} == set(WHY)


def test_a_licence_that_nobody_has_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = Locked("msgspec", "0", "", ())
    assert licence_of(stranger, {"msgspec 0": "BSD-3-Clause"}) == "BSD-3-Clause"
    with pytest.raises(Unknown, match="msgspec 0 is not installed here"):
        licence_of(stranger)
    jinja2 = next(entry for entry in locked() if entry.name == "jinja2")
    monkeypatch.delitem(licences.READ, f"jinja2 {jinja2.version}")
    with pytest.raises(Unknown, match="says of its licence only"):
        licence_of(jinja2)


def test_a_dependency_that_nobody_has_explained_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(licences.WHY, "httpx")
    with pytest.raises(Unknown, match="httpx is a new dependency"):
        page()


def test_copyleft_libraries_of_a_wheel_are_told_and_unknown_ones_are_asked_about() -> None:
    files = [
        "av.libs/libx265-f5385bb8.so.216",
        "av.libs/libopus-114e2b1a.so.0.11.1",
        "av.libs/libavcodec-5e6b81c2.so.62.28.102",
    ]
    assert list(copyleft_among("av 1", files)) == [("libx265", "GPL-2.0-or-later")]
    with pytest.raises(Unknown, match="av 1 carries libnew-codec: look its licence up"):
        list(copyleft_among("av 1", [*files, "av.libs/libnew-codec-0123abcd.so.1"]))


def test_what_an_extra_brings_stands_apart_from_what_always_comes() -> None:
    parts = {part: {entry.name for entry in members} for part, members in parts_of(locked()).items()}
    assert {"av", "starlette", "markupsafe"} <= parts["always"]
    assert {"psycopg", "psycopg-binary", "onnxruntime"} <= parts["optional"]
    assert {"pytest", "hypothesis"} <= parts["development"]
