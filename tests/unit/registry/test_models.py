"""Models an option names: known ones by name, shipped ones, files by their path, and those that are not here."""

from pathlib import Path

import pytest

from app.domain.errors import BadOption, ModelMissing
from app.domain.plugin import PluginMetadata
from app.registry.discover import Catalogue
from app.registry.manifest import check_options, read_manifest
from app.registry.models import ModelShelf, known_models
from tests.unit.registry.conftest import MakePlugin

TOML = """
[options.model]
type = "model"
default = "net"
title = "Model"

[options.labels]
type = "model"
default = ""
title = "Labels"

[[models]]
file = "net.onnx"
sha256 = "{sha}"
size = 4
url = "https://example.org/net.onnx"
license = "MIT"
""".replace("{sha}", "ab" * 32)


@pytest.fixture
def folder(make_plugin: MakePlugin) -> Path:
    return make_plugin(toml=TOML)


@pytest.fixture
def metadata(folder: Path) -> PluginMetadata:
    return read_manifest(folder)


def checked(shelf: ModelShelf, metadata: PluginMetadata, folder: Path, roots: tuple[Path, ...] = (), **given: str) -> dict:
    return shelf.checked(metadata, folder, "stage", check_options(metadata, "stage", given), roots)


def fetched(tmp_path: Path, content: bytes = b"abcd") -> ModelShelf:
    """A shelf with the model on it."""
    (tmp_path / "models" / "nothing").mkdir(parents=True)
    (tmp_path / "models" / "nothing" / "net.onnx").write_bytes(content)
    return ModelShelf(tmp_path / "models")


@pytest.mark.parametrize("name", ["net", "net.onnx"])
def test_a_known_model_that_is_here_is_named_by_its_name_and_placed_by_its_path(
    name: str, folder: Path, metadata: PluginMetadata, tmp_path: Path
) -> None:
    shelf = fetched(tmp_path)
    options = checked(shelf, metadata, folder, model=name)
    assert options == {"model": name, "labels": ""}
    path = str(tmp_path / "models" / "nothing" / "net.onnx")
    assert shelf.placed(metadata, folder, options) == {"model": path, "labels": ""}


def test_a_known_model_that_is_not_here_is_refused_with_the_command_that_fetches_it(
    folder: Path, metadata: PluginMetadata, tmp_path: Path
) -> None:
    with pytest.raises(ModelMissing) as caught:
        checked(ModelShelf(tmp_path / "models"), metadata, folder)
    assert str(caught.value) == (
        "Stage 'stage' needs the model 'net', which is not here (0.0 MB, MIT). Fetch it: sightline models pull net"
    )


def test_a_known_model_of_the_wrong_size_is_as_good_as_missing(folder: Path, metadata: PluginMetadata, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="has 3 bytes instead of 4"):
        checked(fetched(tmp_path, b"abc"), metadata, folder)


def test_without_a_folder_for_models_none_is_here(folder: Path, metadata: PluginMetadata) -> None:
    with pytest.raises(ModelMissing):
        checked(ModelShelf(None), metadata, folder)


def test_a_file_in_the_plugin_s_own_folder_is_found_by_its_name(folder: Path, metadata: PluginMetadata) -> None:
    (folder / "own.onnx").write_bytes(b"x")
    shelf = ModelShelf(None)
    options = checked(shelf, metadata, folder, model="own.onnx")
    assert shelf.placed(metadata, folder, options)["model"] == str(folder / "own.onnx")


def test_a_file_by_its_path_counts_within_the_open_folders_alone(
    folder: Path, metadata: PluginMetadata, tmp_path: Path
) -> None:
    mine = tmp_path / "open" / "mine.onnx"
    mine.parent.mkdir()
    mine.write_bytes(b"x")
    shelf, inside = ModelShelf(None), (tmp_path / "open",)
    options = checked(shelf, metadata, folder, inside, model=str(mine))
    assert shelf.placed(metadata, folder, options)["model"] == str(mine)
    for outside in (str(tmp_path / "open" / ".." / "plugins" / "nothing" / "plugin.toml"), "/no/such/file", "nothing.onnx"):
        with pytest.raises(BadOption, match="SIGHTLINE_SOURCE_ROOTS"):
            checked(shelf, metadata, folder, inside, model=outside)
    with pytest.raises(BadOption, match="and there is none"):
        checked(shelf, metadata, folder, inside, model=str(tmp_path / "open" / "gone.onnx"))


def test_a_link_that_leads_out_of_the_open_folders_is_refused(folder: Path, metadata: PluginMetadata, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "open" / "link.onnx").symlink_to(tmp_path / "secret")
    with pytest.raises(BadOption, match="SIGHTLINE_SOURCE_ROOTS"):
        checked(ModelShelf(None), metadata, folder, (tmp_path / "open",), model=str(tmp_path / "open" / "link.onnx"))


@pytest.mark.parametrize("value", ["", "a\0b", 3])
def test_a_model_that_is_no_name_at_all_is_refused_by_its_form(value: object, metadata: PluginMetadata) -> None:
    with pytest.raises(BadOption, match="the name of a known model"):
        check_options(metadata, "stage", {"model": value})


def test_every_model_of_every_usable_plugin_is_known(folder: Path) -> None:
    catalogue = Catalogue.discover([folder.parent], entry_points=False)
    assert [(plugin, model.name) for plugin, model in known_models(catalogue.found.values())] == [("nothing", "net")]
