"""Model files on this machine: where they lie, which are here, and what an option that names one leads to."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from app.domain.errors import BadOption, ModelMissing
from app.domain.plugin import FoundPlugin, ModelFile, OptionType, PluginMetadata

Options = Mapping[str, Any]


class ModelShelf:
    """The folder of fetched models, `<folder>/<plugin id>/<file>`; with None no model that must be fetched is here."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def path(self, plugin_id: str, model: ModelFile) -> Path:
        """Where a model's file lies, or would."""
        return (self._folder or Path("models").absolute()) / plugin_id / model.file

    def has(self, plugin_id: str, model: ModelFile) -> bool:
        """Say whether a model is here in its full size; its hash was checked when it was fetched."""
        return self.state(plugin_id, model) is None

    def state(self, plugin_id: str, model: ModelFile) -> str | None:
        """Say in words why a model cannot be used, or None where it is here."""
        path = self.path(plugin_id, model)
        if self._folder is None or not path.is_file():
            return "is not here"
        size = path.stat().st_size
        return None if size == model.size else f"has {size} bytes instead of {model.size}"

    def placed(self, metadata: PluginMetadata, folder: Path, options: Options) -> dict[str, Any]:
        """Give `options` with the path of its file for each model; an empty one stays empty."""
        return {
            name: str(self._place(metadata, folder, value)) if name in _model_options(metadata) and value else value
            for name, value in options.items()
        }

    def checked(
        self, metadata: PluginMetadata, folder: Path, stage_id: str, options: Options, roots: Iterable[Path]
    ) -> dict[str, Any]:
        """Give `options` with each model either known by its name or by an absolute path, and make sure that it is here.

        A path counts where it lies, links followed, in one of `roots`; what lies outside is refused before it is looked at.
        Raises ModelMissing and BadOption.
        """
        checked = dict(options)
        for name in _model_options(metadata):
            value = options[name]
            if not value or _shipped(folder, value):
                continue
            model = _known(metadata, value)
            if model is None:
                checked[name] = _open(metadata, stage_id, name, value, roots)
            elif (state := self.state(metadata.id, model)) is not None:
                size = f"{model.size / 1e6:.1f} MB"
                raise ModelMissing(stage=stage_id, model=model.name, state=state, size=size, license=model.license)
        return checked

    def _place(self, metadata: PluginMetadata, folder: Path, value: str) -> Path:
        model = _known(metadata, value)
        if model is not None:
            return self.path(metadata.id, model)
        return folder / value if _shipped(folder, value) else Path(value)


def known_models(plugins: Iterable[FoundPlugin]) -> Iterator[tuple[str, ModelFile]]:
    """Give every model the usable plugins name, each with its plugin's id."""
    for plugin in plugins:
        for model in plugin.metadata.models if plugin.metadata else ():
            yield plugin.id, model


def _model_options(metadata: PluginMetadata) -> list[str]:
    return [option.name for option in metadata.options if option.type is OptionType.MODEL]


def _known(metadata: PluginMetadata, value: str) -> ModelFile | None:
    return next((model for model in metadata.models if value in (model.name, model.file)), None)


def _shipped(folder: Path, value: str) -> bool:
    """Say whether a plain name is that of a file the plugin brings in its own folder."""
    return Path(value).name == value and (folder / value).is_file()


def _open(metadata: PluginMetadata, stage_id: str, option: str, value: str, roots: Iterable[Path]) -> str:
    folders = [root.resolve() for root in roots]
    known = [model.name for model in metadata.models]
    wanted = f"a known model ({', '.join(known)})" if known else "a model"
    refusal = BadOption(
        stage=stage_id, option=option, actual=value, expected=f"{wanted} or a file in a folder of SIGHTLINE_SOURCE_ROOTS"
    )
    try:
        real = Path(value).expanduser().resolve()
    except (OSError, RuntimeError):  # a loop of links, or no such user
        raise refusal from None
    if not any(real.is_relative_to(folder) for folder in folders):
        raise refusal
    if not real.is_file():
        raise BadOption(stage=stage_id, option=option, actual=value, expected=f"{wanted} or a file, and there is none")
    return str(real)
