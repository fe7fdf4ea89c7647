"""Loading a plugin's code: from its folder, under a name of its own, without pydantic."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.domain.errors import BrokenPlugin
from app.registry.load import load_plugin
from tests.unit.registry.conftest import CODE, MakePlugin

ENTRY = "plugin:Nothing"


def test_two_plugins_with_a_plugin_py_do_not_collide(make_plugin: MakePlugin) -> None:
    one = load_plugin(make_plugin("one", code=CODE + "\nNothing.word = 'one'\n"), ENTRY)
    other = load_plugin(make_plugin("other", code=CODE + "\nNothing.word = 'other'\n"), ENTRY)
    assert (one.word, other.word) == ("one", "other")
    assert type(one).__module__ != type(other).__module__
    assert "plugin" not in sys.modules


def test_each_load_gives_a_new_instance_of_one_class(make_plugin: MakePlugin) -> None:
    folder = make_plugin()
    one, other = load_plugin(folder, ENTRY), load_plugin(folder, ENTRY)
    assert one is not other
    assert type(one) is type(other)


def test_one_folder_reached_by_two_paths_is_one_module(make_plugin: MakePlugin, tmp_path: Path) -> None:
    folder = make_plugin()
    (tmp_path / "link").symlink_to(folder)
    assert type(load_plugin(folder, ENTRY)) is type(load_plugin(tmp_path / "link", ENTRY))


def test_edited_code_is_loaded_anew(make_plugin: MakePlugin) -> None:
    folder = make_plugin(code=CODE + "\nNothing.word = 'before'\n")
    before = load_plugin(folder, ENTRY)
    (folder / "plugin.py").write_text(CODE + "\nNothing.word = 'after it'\n")
    os.utime(folder / "plugin.py", ns=(1, 10**18))
    assert (before.word, load_plugin(folder, ENTRY).word) == ("before", "after it")


def test_files_beside_the_plugin_are_imported_relatively(make_plugin: MakePlugin) -> None:
    folder = make_plugin(code="from .parts.words import WORD\n" + CODE + "\nNothing.word = WORD\n")
    (folder / "parts").mkdir()
    (folder / "parts" / "words.py").write_text("WORD = 'found'\n")
    assert load_plugin(folder, ENTRY).word == "found"


def test_a_folder_that_is_a_package_runs_its_init_once(make_plugin: MakePlugin) -> None:
    folder = make_plugin(code="from . import COUNT\n" + CODE + "\nNothing.count = COUNT\n")
    (folder / "__init__.py").write_text("COUNT = []\nCOUNT.append(1)\n")
    assert load_plugin(folder, ENTRY).count == [1]
    assert load_plugin(folder, ENTRY).count == [1]


def test_an_entry_may_lie_deeper(make_plugin: MakePlugin) -> None:
    folder = make_plugin()
    (folder / "deep").mkdir()
    (folder / "plugin.py").rename(folder / "deep" / "code.py")
    assert type(load_plugin(folder, "deep.code:Nothing")).__name__ == "Nothing"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("absent:Nothing", "there is no absent.py in its folder"),
        ("deep.absent:Nothing", "there is no deep/absent.py in its folder"),
        ("plugin:Absent", "plugin has no class 'Absent'"),
        ("plugin:CONSTANT", "plugin has no class 'CONSTANT'"),
        ("plugin:Half", "Half has no process_frame, finalize"),
    ],
)
def test_an_entry_that_leads_to_no_plugin_says_why(make_plugin: MakePlugin, entry: str, said: str) -> None:
    folder = make_plugin(code=CODE + "\nCONSTANT = 3\nclass Half:\n    def prepare(self, context): ...\n")
    with pytest.raises(BrokenPlugin) as caught:
        load_plugin(folder, entry)
    assert caught.value.facts == {"plugin": "nothing", "reason": said}


def test_what_the_plugin_s_code_raises_comes_out_and_leaves_nothing_behind(make_plugin: MakePlugin) -> None:
    folder = make_plugin(code="from . import parts\n" + CODE + "\nraise ValueError('on import')\n")
    (folder / "parts.py").write_text("")
    before = set(sys.modules)
    with pytest.raises(ValueError, match="on import"):
        load_plugin(folder, ENTRY)
    assert set(sys.modules) == before
    with pytest.raises(ValueError, match="on import"):
        load_plugin(folder, ENTRY)


def test_a_plugin_cannot_take_the_place_of_a_module_of_the_library(make_plugin: MakePlugin) -> None:
    folder = make_plugin(code="import json\n" + CODE + "\nNothing.json = json\n")
    (folder / "json.py").write_text("raise RuntimeError('not this one')\n")
    assert load_plugin(folder, ENTRY).json is sys.modules["json"]


def test_loading_a_plugin_imports_nothing_heavy(make_plugin: MakePlugin) -> None:
    code = (
        "import sys; from pathlib import Path; from app.registry.load import load_plugin\n"
        f"load_plugin(Path({str(make_plugin())!r}), {ENTRY!r})\n"
        "print(*sorted({'pydantic', 'sqlalchemy', 'starlette', 'jinja2', 'cv2'} & set(sys.modules)))\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )
    assert child.stdout.strip() == ""
