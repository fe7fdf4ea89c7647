"""Finding plugins: in folders and in installed packages, the broken ones listed with the reason, nothing imported."""

import sys
from pathlib import Path

import pytest

from app.domain.errors import BrokenPlugin, UnknownPlugin
from app.registry.discover import Catalogue
from app.registry.load import load_plugin
from tests.unit.registry.conftest import CODE, MANIFEST, MakePlugin

ROOT = Path(__file__).parents[3]
TRAP = CODE + "\nraise SystemExit('discovery must not run this')\n"


def in_folders(*folders: Path) -> Catalogue:
    return Catalogue.discover(folders, entry_points=False)


def install(site: Path, name: str, value: str, *, files: bool = True, plugin_id: str = "nothing") -> Path:
    """Lay out an installed distribution `acme` 2.1 in `site`, as pip would; without `files` like an editable install."""
    package = site / "acme" / "plugins"
    package.mkdir(parents=True)
    (site / "acme" / "__init__.py").write_text("raise SystemExit('discovery must not import this')\n")
    (package / "__init__.py").write_text("")
    (package / "plugin.py").write_text(CODE)
    (package / "plugin.toml").write_text(MANIFEST.format(id=plugin_id))
    info = site / "acme-2.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 2.1\n")
    (info / "entry_points.txt").write_text(f"[sightline.plugins]\n{name} = {value}\n")
    listed = [path for path in package.iterdir() if files]
    (info / "RECORD").write_text("".join(f"{path.relative_to(site).as_posix()},,\n" for path in [*listed, info / "METADATA"]))
    return package


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages that this Python looks in."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def test_the_bundled_plugins_are_found_whole() -> None:
    catalogue = in_folders(ROOT / "plugins")
    assert {"people_hog", "motion_mog2"} <= set(catalogue.found)
    assert [plugin.reason for plugin in catalogue.found.values() if plugin.broken] == []
    assert [plugin.findings for plugin in catalogue.found.values() if plugin.findings] == []


def test_every_bundled_plugin_loads() -> None:
    catalogue = in_folders(ROOT / "plugins")
    for plugin_id in catalogue.found:
        load_plugin(catalogue.folder(plugin_id), catalogue.get(plugin_id).entry)


def test_discovery_runs_no_code(make_plugin: MakePlugin) -> None:
    folder = make_plugin(code=TRAP)
    before = set(sys.modules)
    assert in_folders(folder.parent).get("nothing").name == "Test plugin"
    assert {name for name in set(sys.modules) - before if "nothing" in name or "sightline_plugin" in name} == set()


def test_plugins_are_found_in_the_order_of_folders_then_names(make_plugin: MakePlugin, tmp_path: Path) -> None:
    first, second = tmp_path / "z_first", tmp_path / "a_second"
    for parent, plugin_id in ((second, "dd"), (first, "cc"), (first, "aa"), (second, "bb")):
        make_plugin(plugin_id, parent=parent)
    assert list(in_folders(first, second).found) == ["aa", "cc", "bb", "dd"]


def test_a_folder_may_be_a_plugin_s_own(make_plugin: MakePlugin) -> None:
    folder = make_plugin()
    catalogue = in_folders(folder)
    assert catalogue.folder("nothing") == folder
    assert catalogue.found["nothing"].origin == str(folder.parent)


def test_what_is_no_plugin_is_passed_over(make_plugin: MakePlugin) -> None:
    parent = make_plugin().parent
    (parent / "__pycache__").mkdir()
    (parent / "notes.txt").write_text("x")
    assert list(in_folders(parent).found) == ["nothing"]


def test_a_folder_that_is_not_there_is_told_and_stops_nothing(make_plugin: MakePlugin, tmp_path: Path) -> None:
    catalogue = in_folders(tmp_path / "absent", make_plugin().parent)
    assert list(catalogue.found) == ["nothing"]
    assert catalogue.missing_folders == (tmp_path / "absent",)


def test_a_broken_plugin_is_listed_with_the_reason_and_stops_nothing(make_plugin: MakePlugin) -> None:
    make_plugin("good")
    make_plugin("bad_toml", toml="colour = 1\n")
    make_plugin("bad_code", code="def broken(:\n")
    catalogue = in_folders(make_plugin("no_class", code="x = 1\n").parent)
    assert catalogue.get("good").id == "good"
    reasons = {plugin.id: plugin.reason for plugin in catalogue.found.values() if plugin.broken}
    assert reasons == {
        "bad_toml": "bad_toml/plugin.toml: colour is not known",
        "bad_code": "plugin.py is not Python at line 1: invalid syntax",
        "no_class": "entry is 'plugin:Nothing', but plugin defines no Nothing",
    }
    with pytest.raises(BrokenPlugin, match=r"Plugin 'bad_toml' is broken: bad_toml/plugin\.toml: colour is not known\.$"):
        catalogue.get("bad_toml")
    with pytest.raises(BrokenPlugin):
        catalogue.folder("bad_code")


def test_what_is_wanting_is_told_beside_a_plugin_that_works(make_plugin: MakePlugin) -> None:
    plugin = in_folders(make_plugin()).found["nothing"]
    assert not plugin.broken
    assert "it has no README.md" in [finding.message for finding in plugin.findings]


def test_an_unknown_plugin_is_refused_with_the_ones_that_work(make_plugin: MakePlugin) -> None:
    make_plugin("bad", toml="colour = 1\n")
    make_plugin("zz")
    catalogue = in_folders(make_plugin("aa").parent)
    with pytest.raises(UnknownPlugin, match="There is no plugin 'people'; the known ones are aa, zz"):
        catalogue.get("people")
    with pytest.raises(UnknownPlugin, match="the known ones are none"):
        Catalogue([]).folder("people")


def test_of_two_with_one_id_the_first_keeps_it_and_the_others_are_listed(make_plugin: MakePlugin, tmp_path: Path) -> None:
    parents = [tmp_path / name for name in ("one", "two", "three")]
    folders = [make_plugin(parent=parent) for parent in parents]
    catalogue = in_folders(*parents)
    assert list(catalogue.found) == ["nothing", "nothing~2", "nothing~3"]
    assert catalogue.folder("nothing") == folders[0]
    assert catalogue.found["nothing~2"].folder == folders[1]
    with pytest.raises(BrokenPlugin, match="the id 'nothing' is taken by the plugin found first"):
        catalogue.get("nothing~3")


@pytest.mark.parametrize("value", ["acme.plugins.plugin:Nothing", "acme.plugins:Nothing"])
@pytest.mark.parametrize("files", [True, False], ids=["installed", "editable"])
def test_a_package_s_plugin_is_found_without_importing_it(site: Path, value: str, files: bool) -> None:
    package = install(site, "nothing", value, files=files)
    catalogue = Catalogue.discover([])
    assert catalogue.found["nothing"].origin == "package acme 2.1"
    assert catalogue.folder("nothing") == package
    assert "acme" not in sys.modules
    assert type(load_plugin(catalogue.folder("nothing"), catalogue.get("nothing").entry)).__name__ == "Nothing"
    assert "acme" not in sys.modules


def test_packages_are_left_out_where_nobody_asks_for_them(site: Path) -> None:
    install(site, "nothing", "acme.plugins:Nothing")
    assert dict(in_folders().found) == {}


def test_a_folder_s_plugin_comes_before_a_package_s(site: Path, make_plugin: MakePlugin) -> None:
    install(site, "nothing", "acme.plugins:Nothing")
    folder = make_plugin()
    catalogue = Catalogue.discover([folder.parent])
    assert catalogue.folder("nothing") == folder
    assert catalogue.found["nothing~2"].origin == "package acme 2.1"


def test_an_entry_point_under_another_name_than_the_id_is_broken(site: Path) -> None:
    install(site, "something", "acme.plugins:Nothing")
    with pytest.raises(BrokenPlugin, match="its id is 'nothing', but its entry point is 'something'"):
        Catalogue.discover([]).get("something")


@pytest.mark.parametrize("value", ["acme:Nothing", "nowhere.at.all:Nothing", "nowhere:Nothing"])
def test_an_entry_point_without_a_manifest_is_broken(site: Path, value: str) -> None:
    install(site, "nothing", value)
    with pytest.raises(BrokenPlugin, match=r"there is no plugin\.toml beside"):
        Catalogue.discover([]).get("nothing")


def test_the_catalogue_cannot_be_written_from_outside(make_plugin: MakePlugin) -> None:
    with pytest.raises(TypeError):
        in_folders(make_plugin()).found["other"] = None
