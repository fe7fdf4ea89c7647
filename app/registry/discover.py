"""Finding the plugins of this machine: nothing of theirs is imported, and a broken one stops nothing."""

import importlib.util
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Self

from app.domain.errors import BrokenPlugin, UnknownPlugin
from app.domain.finding import Finding, Severity
from app.domain.plugin import FoundPlugin, PluginMetadata
from app.registry.importing import PATIENCE_S, Imported, import_plugins
from app.registry.manifest import MANIFEST
from app.registry.models import ModelShelf
from app.registry.reporting import Stopped
from app.registry.validate import validate

GROUP: Final = "sightline.plugins"


class Catalogue:
    """The plugins found on this machine by id, broken ones with the reason."""

    def __init__(self, found: Iterable[FoundPlugin], missing_folders: Iterable[Path] = (), models: Path | None = None) -> None:
        self._found = _by_id(found)
        self._folders: tuple[Path, ...] = ()
        self._packages: tuple[Place, ...] = ()
        self.missing_folders = tuple(missing_folders)
        self.models = ModelShelf(models)

    @classmethod
    def discover(cls, folders: Iterable[Path], entry_points: bool = True, models: Path | None = None) -> Self:
        """Look for plugins in `folders` (each a plugin's own folder, or one of plugins' folders), then in packages.

        Of two with one id the first found keeps it; the second is listed as broken under `<id>~2`. `models` is the folder
        in which model files lie, one folder to a plugin.
        """
        folders = tuple(folders)
        packages = tuple(_in_packages()) if entry_points else ()
        found = [_look_in(place) for place in (*_in_folders(folders), *packages)]
        catalogue = cls(found, (folder for folder in folders if not folder.is_dir()), models)
        catalogue._folders, catalogue._packages = folders, packages
        return catalogue

    def places(self) -> tuple["Place", ...]:
        """Where plugins lie now, in the folders looked in and in the packages known from the start; none is read."""
        return (*_in_folders(self._folders), *self._packages)

    def take_up(self, changed: Collection["Place"], stopped: Stopped = lambda: False) -> None:
        """Read and import the plugins at `changed` places anew, and take up all that are there now, at once. Blocks."""
        known = {plugin.folder: plugin for plugin in self._found.values() if "~" not in plugin.id}
        places = self.places()
        kept = [known.get(place.folder) if place.folder and place not in changed else None for place in places]
        found = [one or _look_in(place) for one, place in zip(kept, places, strict=True)]
        fresh = [plugin for plugin, one in zip(found, kept, strict=True) if one is None]
        broken = _imported(fresh, PATIENCE_S, stopped)
        self._found = _by_id(broken.get(plugin.folder, plugin) for plugin in found)

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

    def import_all(self, proven: Path | None = None, patience_s: float = PATIENCE_S, stopped: Stopped = lambda: False) -> None:
        """Import every usable plugin once, in a child process; what is wrong with its code makes it a broken one.

        Those found in the folder `proven` are left out. Blocks; may be called on any thread.
        """
        unproven = [plugin for plugin in self._found.values() if plugin.origin != str(proven)]
        for broken in _imported(unproven, patience_s, stopped).values():
            self._found = {**self._found, broken.id: broken}

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
    metadata, findings = validate(folder)
    found = FoundPlugin(name, origin, folder, metadata, None, findings)
    if metadata is None:
        reason = "; ".join(finding.message for finding in findings)
        return replace(found, reason=f"{folder.name}/{MANIFEST}: {reason}")
    if expected_id is not None and metadata.id != expected_id:
        message = f"its id is {metadata.id!r}, but its entry point is {expected_id!r}"
        cure = "Give the entry point and the plugin one id."
        return _broken(found, Finding("entry-point-is-named-by-the-id", Severity.ERROR, MANIFEST, message, cure))
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    found = replace(found, id=metadata.id)
    return _broken(replace(found, findings=tuple(f for f in findings if f not in errors)), *errors) if errors else found


def _broken(plugin: FoundPlugin, *errors: Finding) -> FoundPlugin:
    """Give a plugin as one that cannot be used, because of `errors`."""
    reason = "; ".join(error.message for error in errors)
    return replace(plugin, metadata=None, reason=reason, findings=(*errors, *plugin.findings))


def _second(plugin: FoundPlugin, taken: Mapping[str, FoundPlugin]) -> FoundPlugin:
    """List a plugin whose id is taken, as broken and under a number."""
    number = next(n for n in range(2, len(taken) + 3) if f"{plugin.id}~{n}" not in taken)
    reason = f"the id {plugin.id!r} is taken by the plugin found first, in {taken[plugin.id].origin}"
    cure = "Give one of the two another id, or remove it."
    finding = Finding("id-is-its-own", Severity.ERROR, MANIFEST, reason, cure)
    return replace(_broken(plugin, finding), id=f"{plugin.id}~{number}")


def _by_id(found: Iterable[FoundPlugin]) -> dict[str, FoundPlugin]:
    """Order plugins by id; of two with one id the first keeps it."""
    by_id: dict[str, FoundPlugin] = {}
    for plugin in found:
        listed = _second(plugin, by_id) if plugin.id in by_id else plugin
        by_id[listed.id] = listed
    return by_id


def _imported(plugins: Iterable[FoundPlugin], patience_s: float, stopped: Stopped) -> dict[Path, FoundPlugin]:
    """Import the usable ones in a child; gives those that are broken by it, by their folder."""
    wanted = {Imported(plugin.folder, plugin.metadata.entry): plugin for plugin in plugins if plugin.metadata}
    told = import_plugins(list(wanted), patience_s, stopped)
    return {one.folder: _broken(wanted[one], *findings) for one, findings in told if findings}


class Place(NamedTuple):
    """Where a plugin lies: its folder (None where a package brings none), its origin, and its entry point's name."""

    folder: Path | None
    origin: str
    expected_id: str | None = None


def _look_in(place: Place) -> FoundPlugin:
    if place.folder is not None:
        return examine(place.folder, place.origin, place.expected_id)
    reason = f"there is no {MANIFEST} beside the module that its entry point names"
    cure = "Let the package carry it beside the code, as package data."
    missing = Finding("package-has-a-manifest", Severity.ERROR, MANIFEST, reason, cure)
    return _broken(FoundPlugin(place.expected_id or place.origin, place.origin, Path(), None), missing)


def _in_folders(folders: Iterable[Path]) -> Iterator[Place]:
    for folder in folders:
        if (folder / MANIFEST).is_file():
            yield Place(folder, str(folder.parent))
            continue
        try:
            inside = sorted(folder.iterdir()) if folder.is_dir() else []
        except OSError:
            continue  # a folder that may not be read holds nothing for us
        for candidate in inside:
            if not candidate.name.startswith(".") and candidate.is_dir() and (candidate / MANIFEST).is_file():
                yield Place(candidate, str(folder))


def _in_packages() -> Iterator[Place]:
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        origin = f"package {point.dist.name} {point.dist.version}" if point.dist else "an installed package"
        yield Place(_folder_of(point), origin, point.name)


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
