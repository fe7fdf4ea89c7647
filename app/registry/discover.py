"""Finding the plugins of this machine: nothing of theirs is imported, and a broken one stops nothing."""

import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self

from app.domain.errors import BadManifest, BrokenPlugin, UnknownPlugin
from app.domain.plugin import FoundPlugin, PluginMetadata
from app.registry.manifest import MANIFEST, read_manifest
from app.registry.models import ModelShelf
from app.registry.validate import Severity, validate

GROUP: Final = "sightline.plugins"


class Catalogue:
    """The plugins found on this machine by id, broken ones with the reason."""

    def __init__(self, found: Iterable[FoundPlugin], missing_folders: Iterable[Path] = (), models: Path | None = None) -> None:
        by_id: dict[str, FoundPlugin] = {}
        for plugin in found:
            if plugin.id in by_id:
                twin = _second(plugin, by_id)
                by_id[twin.id] = twin
            else:
                by_id[plugin.id] = plugin
        self._found = by_id
        self.missing_folders = tuple(missing_folders)
        self.models = ModelShelf(models)

    @classmethod
    def discover(cls, folders: Iterable[Path], entry_points: bool = True, models: Path | None = None) -> Self:
        """Look for plugins in `folders` (each a plugin's own folder, or one of plugins' folders), then in packages.

        Of two with one id the first found keeps it; the second is listed as broken under `<id>~2`. `models` is the folder
        in which model files lie, one folder to a plugin.
        """
        folders = tuple(folders)
        found = [plugin for folder in folders for plugin in _in_folder(folder)]
        if entry_points:
            found.extend(_in_packages())
        return cls(found, (folder for folder in folders if not folder.is_dir()), models)

    @property
    def found(self) -> Mapping[str, FoundPlugin]:
        """Every plugin found, the broken ones too, in the order they were found."""
        return MappingProxyType(self._found)

    def get(self, plugin_id: str) -> PluginMetadata:
        """Give a plugin's metadata; raise UnknownPlugin or BrokenPlugin."""
        return self._usable(plugin_id)[0]

    def folder(self, plugin_id: str) -> Path:
        """Give the folder a usable plugin lies in; raise UnknownPlugin or BrokenPlugin."""
        return self._usable(plugin_id)[1]

    def placed(self, plugin_id: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Give a stage's options as its plugin wants them: for each model the path of its file."""
        return self.models.placed(*self._usable(plugin_id), options)

    def _usable(self, plugin_id: str) -> tuple[PluginMetadata, Path]:
        plugin = self._found.get(plugin_id)
        if plugin is None:
            known = ", ".join(sorted(known for known, plugin in self._found.items() if not plugin.broken)) or "none"
            raise UnknownPlugin(plugin=plugin_id, known=known)
        if plugin.metadata is None:
            raise BrokenPlugin(plugin=plugin_id, reason=plugin.reason)
        return plugin.metadata, plugin.folder


def examine(folder: Path, origin: str, expected_id: str | None = None) -> FoundPlugin:
    """Read and validate the plugin in one folder; `expected_id` is what an entry point calls it."""
    name = expected_id or folder.name
    try:
        metadata = read_manifest(folder)
    except BadManifest as error:
        return FoundPlugin(name, origin, folder, None, str(error).rstrip("."))
    if expected_id is not None and metadata.id != expected_id:
        return FoundPlugin(name, origin, folder, None, f"its id is {metadata.id!r}, but its entry point is {expected_id!r}")
    findings = validate(folder, metadata)
    messages = tuple(finding.message for finding in findings)
    broken = [finding.message for finding in findings if finding.severity is Severity.BROKEN]
    if broken:
        return FoundPlugin(metadata.id, origin, folder, None, "; ".join(broken), messages)
    return FoundPlugin(metadata.id, origin, folder, metadata, None, messages)


def _second(plugin: FoundPlugin, taken: Mapping[str, FoundPlugin]) -> FoundPlugin:
    """List a plugin whose id is taken, as broken and under a number."""
    number = next(n for n in range(2, len(taken) + 3) if f"{plugin.id}~{n}" not in taken)
    reason = f"the id {plugin.id!r} is taken by the plugin found first, in {taken[plugin.id].origin}"
    return FoundPlugin(f"{plugin.id}~{number}", plugin.origin, plugin.folder, None, reason, plugin.findings)


def _in_folder(folder: Path) -> Iterator[FoundPlugin]:
    if (folder / MANIFEST).is_file():
        yield examine(folder, str(folder.parent))
        return
    try:
        inside = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError:
        return  # a folder that may not be read holds nothing for us
    for candidate in inside:
        if candidate.is_dir() and (candidate / MANIFEST).is_file():
            yield examine(candidate, str(folder))


def _in_packages() -> Iterator[FoundPlugin]:
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        origin = f"package {point.dist.name} {point.dist.version}" if point.dist else "an installed package"
        folder = _folder_of(point)
        if folder is None:
            reason = f"there is no {MANIFEST} beside {point.value.partition(':')[0]} in its package"
            yield FoundPlugin(point.name, origin, Path(), None, reason)
        else:
            yield examine(folder, origin, point.name)


def _folder_of(point: EntryPoint) -> Path | None:
    """Find the folder of an entry point's module that holds plugin.toml, through the distribution's list of files.

    An editable install lists no code; then the top-level package is located instead, which imports nothing.
    """
    module = point.value.partition(":")[0].strip().split(".")
    places = [parts for parts in (module, module[:-1]) if parts]
    wanted = {"/".join((*parts, MANIFEST)) for parts in places}
    for file in (point.dist.files if point.dist else None) or ():
        if file.as_posix() in wanted:
            return Path(str(file.locate())).parent
    try:
        spec = importlib.util.find_spec(module[0])
    except (ImportError, ValueError):
        return None  # a package whose own finder fails has no folder to show
    for root in (spec.submodule_search_locations if spec else None) or ():
        for parts in places:
            folder = Path(root).joinpath(*parts[1:])
            if (folder / MANIFEST).is_file():
                return folder
    return None
