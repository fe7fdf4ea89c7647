"""Sources named by a person: a file of this machine under an open folder, or an address."""

from collections.abc import Iterable
from pathlib import Path

from app.domain.errors import UnsupportedSource
from app.domain.media import SourceKind, SourceRef
from app.media.probe import identify


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


def open_url(url: str) -> SourceRef:
    """Give the source at an address; raise UnsupportedSource: streams are not read yet."""
    raise UnsupportedSource(name=url, reason="live addresses are not supported yet; upload a file instead")
