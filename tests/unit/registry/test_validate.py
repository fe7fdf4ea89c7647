"""Each rule a plugin's folder is held to finds what it is for, and nothing on a plugin that keeps it."""

from pathlib import Path

import pytest

from app.registry.manifest import read_manifest
from app.registry.validate import Severity, validate
from tests.unit.registry.conftest import CODE, MakePlugin

BUNDLED = Path(__file__).parents[3] / "plugins"
ALL_MISSING = [
    "it has no README.md",
    "it has no sample input (sample.*)",
    "it has no expected.json",
    "it has no test_nothing.py",
]


def messages(folder: Path, severity: Severity) -> list[str]:
    found = validate(folder, read_manifest(folder))
    return [finding.message for finding in found if finding.severity is severity]


@pytest.mark.parametrize("folder", [path.parent for path in sorted(BUNDLED.glob("*/plugin.toml"))], ids=lambda path: path.name)
def test_our_own_plugins_keep_every_rule(folder: Path) -> None:
    assert validate(folder, read_manifest(folder)) == ()


def test_a_bare_plugin_can_be_used_but_is_wanting(make_plugin: MakePlugin) -> None:
    folder = make_plugin()
    assert messages(folder, Severity.BROKEN) == []
    assert messages(folder, Severity.WANTING) == ALL_MISSING


def test_a_plugin_with_everything_beside_it_lacks_nothing(make_plugin: MakePlugin) -> None:
    folder = make_plugin()
    for name, text in (("README.md", "x"), ("sample.png", "x"), ("expected.json", "{}"), ("test_nothing.py", "")):
        (folder / name).write_text(text)
    assert validate(folder, read_manifest(folder)) == ()


def test_an_expectation_that_is_not_json_is_told(make_plugin: MakePlugin) -> None:
    folder = make_plugin()
    (folder / "expected.json").write_text("{")
    assert any(message.startswith("expected.json is not JSON") for message in messages(folder, Severity.WANTING))


def test_an_entry_without_a_file_breaks_the_plugin(make_plugin: MakePlugin) -> None:
    folder = make_plugin()
    (folder / "plugin.py").unlink()
    assert messages(folder, Severity.BROKEN) == ["entry is 'plugin:Nothing', but there is no plugin.py in its folder"]


def test_an_entry_without_its_class_breaks_the_plugin(make_plugin: MakePlugin) -> None:
    folder = make_plugin(code=CODE.replace("class Nothing", "class Something"))
    assert messages(folder, Severity.BROKEN) == ["entry is 'plugin:Nothing', but plugin defines no Nothing"]


@pytest.mark.parametrize(
    "code",
    [
        "from ._parts import Nothing\n",
        "from ._parts import Other as Nothing\n",
        "import sys\nif sys.platform:\n    class Nothing: ...\n",
        "Nothing = type('Nothing', (), {})\n",
    ],
)
def test_a_class_that_comes_into_the_module_another_way_is_seen(make_plugin: MakePlugin, code: str) -> None:
    assert messages(make_plugin(code=code), Severity.BROKEN) == []


@pytest.mark.parametrize("code", ["def broken(:\n", "x = '\0'\n"])
def test_code_that_is_not_python_breaks_the_plugin(make_plugin: MakePlugin, code: str) -> None:
    (message,) = messages(make_plugin(code=code), Severity.BROKEN)
    assert message.startswith("plugin.py is not Python")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("from app.engine import pool", "app.engine"),
        ("import app.store.jobs", "app.store.jobs"),
        ("from app import settings", "app.settings"),
        ("def f():\n    from app.domain.job import Job", "app.domain.job"),
        ("import app", "app"),
    ],
)
def test_an_import_past_the_sdk_is_told(make_plugin: MakePlugin, line: str, name: str) -> None:
    folder = make_plugin(code=f"{CODE}\n{line}\n")
    assert f"it imports {name}; a plugin imports app.sdk only" in messages(folder, Severity.WANTING)


def test_an_import_of_a_file_beside_it_is_the_plugin_s_own_affair(make_plugin: MakePlugin) -> None:
    folder = make_plugin(code=f"from .app.engine import x\nfrom . import app\n{CODE}")
    assert messages(folder, Severity.WANTING) == ALL_MISSING


def test_an_output_no_capability_gives_is_told(make_plugin: MakePlugin) -> None:
    folder = make_plugin()
    path = folder / "plugin.toml"
    path.write_text(path.read_text().replace('output = "detections"', 'output = "mask"'))
    expected = "output is 'mask', which none of its capabilities (detect) gives"
    assert expected in messages(folder, Severity.WANTING)


def test_a_folder_with_another_name_is_told(make_plugin: MakePlugin) -> None:
    folder = make_plugin()
    renamed = folder.rename(folder.with_name("other"))
    assert "its folder is 'other', expected 'nothing'" in messages(renamed, Severity.WANTING)


def test_validating_runs_no_code_of_the_plugin(make_plugin: MakePlugin) -> None:
    folder = make_plugin(code=f"{CODE}\nraise SystemExit('this code must not run')\n")
    assert messages(folder, Severity.BROKEN) == []
