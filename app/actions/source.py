"""Sources named by a person: a file of this machine under an open folder, or an address."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from app.domain.address import read_address
from app.domain.errors import UnsupportedSource
from app.domain.media import SourceKind, SourceRef
from app.media.probe import identify
from app.media.reach import check_address

MOST_OF_A_FOLDER: Final = 100
_LONGEST_NAME: Final = 200
VIDEO_SUFFIXES: Final = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".wmv", ".flv", ".3gp", ".ogv"}
)


def open_path(path: str, roots: Iterable[Path]) -> SourceRef:
    """Give the source at an absolute path; raise UnsupportedSource unless it lies, links followed, in one of `roots`.

    What lies outside is refused before it is looked at, so that nothing can be learned of it.
    """
    folders = tuple(root.resolve() for root in roots)
    if not folders:
        raise UnsupportedSource(name=path, reason="no folder is open to sources here; SIGHTLINE_SOURCE_ROOTS names them")
    if "\0" in path or not Path(path).is_absolute():
        raise UnsupportedSource(name=path, reason="expected an absolute path")
    try:
        real = Path(path).resolve()
    except (OSError, RuntimeError):  # a loop of links
        raise UnsupportedSource(name=path, reason="its links lead nowhere") from None
    if not any(real.is_relative_to(folder) for folder in folders):
        raise UnsupportedSource(name=path, reason="it is in none of the folders of SIGHTLINE_SOURCE_ROOTS")
    if not (real.is_file() or real.is_dir()):
        raise UnsupportedSource(name=path, reason="there is no such file or folder")
    try:
        kind = identify(real)
        size = None if kind is SourceKind.FOLDER else real.stat().st_size
    except OSError as unreadable:
        raise UnsupportedSource(name=path, reason=unreadable.strerror or "it cannot be read") from None
    return SourceRef(kind=kind, name=real.name, path=str(real), size_bytes=size)


def open_all(path: str, roots: Iterable[Path]) -> tuple[SourceRef, ...]:
    """Give the sources at an absolute path: of a folder with videos each of them, by name, else the one that `open_path` gives.

    A folder within the folder is not looked into. Raises UnsupportedSource, also for a folder of more than `MOST_OF_A_FOLDER`.
    """
    folders = tuple(roots)
    source = open_path(path, folders)
    if source.kind is not SourceKind.FOLDER or source.path is None:
        return (source,)
    videos = sorted(file for file in Path(source.path).iterdir() if file.suffix.lower() in VIDEO_SUFFIXES and file.is_file())
    if len(videos) > MOST_OF_A_FOLDER:
        raise UnsupportedSource(name=path, reason=f"it holds {len(videos)} videos, at most {MOST_OF_A_FOLDER} go at once")
    return tuple(open_path(str(video), folders) for video in videos) or (source,)


def open_url(url: str, *, allow_private: bool) -> SourceRef:
    """Give the source at an address, which is looked up and not connected to; raise UnsupportedSource.

    One whose host nobody can look up just now is taken: the worker tries again.
    """
    address = read_address(url)
    with suppress(OSError):
        if not allow_private:
            check_address(address, allow_private=False)
    return SourceRef(kind=SourceKind.STREAM, name=address.shown[:_LONGEST_NAME], path=None, url=address.url)
