"""Notices that a plugin's folder has changed, and takes the plugin up again."""

from pathlib import Path

from app.registry.discover import Catalogue, Place
from app.registry.reporting import Stopped

_Print = frozenset[tuple[str, int, int]]


class Reloader:
    """Watches the folders of a catalogue's plugins from now on."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._seen = self._prints()

    def look(self, stopped: Stopped = lambda: False) -> tuple[str, ...]:
        """Take up what has changed since the last look; gives the names of folders that are new, changed or gone. Blocks."""
        now = self._prints()
        changed = {place for place, taken in now.items() if self._seen.get(place) != taken}
        gone = self._seen.keys() - now.keys()
        self._seen = now
        if changed or gone:
            self._catalogue.take_up(changed, stopped)
        return tuple(sorted({place.folder.name for place in changed | gone if place.folder}))

    def _prints(self) -> dict[Place, _Print]:
        return {place: _print(place.folder) for place in self._catalogue.places() if place.folder}


def _print(folder: Path) -> _Print:
    """What tells a folder's content from what it was: names, times and sizes of its files, but for compiled ones."""
    taken = set()
    for path in folder.rglob("*"):
        if "__pycache__" in path.parts:
            continue
        try:
            state = path.stat()
        except OSError:
            continue  # it went while we looked
        taken.add((path.relative_to(folder).as_posix(), state.st_mtime_ns, state.st_size if path.is_file() else 0))
    return frozenset(taken)
