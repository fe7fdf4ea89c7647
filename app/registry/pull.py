"""Fetching a model file: by its address or from a local copy; resumed, checked against size and hash, then put in place."""

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from io import BufferedRandom
from pathlib import Path
from typing import Final, Protocol
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from app import __version__
from app.domain.errors import PullFailed
from app.domain.plugin import ModelFile

_CHUNK_BYTES: Final = 1 << 17
_PATIENCE_S: Final = 30.0
_PARTIAL, _NOT_SATISFIABLE = 206, 416

Told = Callable[[int], None]  # takes how many bytes are here


class _Readable(Protocol):
    """Where bytes come from: a file, or the answer of a server."""

    def read(self, size: int, /) -> bytes:
        """Give the next bytes; none at the end."""


def tell_nobody(_bytes: int) -> None:
    """Take note of nothing."""


def pull(model: ModelFile, target: Path, told: Told = tell_nobody) -> None:
    """Fetch a model by its address to `target`; raise PullFailed.

    What came in lies beside it as `<file>.part` until size and hash are right, and is gone on with the next time; only then
    is it renamed to `target`, so that at any moment there is either the whole model there or what was there before.
    """
    with _part_of(model, target) as part:
        here = os.fstat(part.fileno()).st_size
        if here > model.size:
            part.truncate(0)
            here = 0
        told(here)
        if here < model.size:
            _download(model, part, here, told)
        _put_in_place(model, part, target)


def take(model: ModelFile, target: Path, copy: Path, told: Told = tell_nobody) -> None:
    """Put a local copy of a model at `target`, checked like one that was fetched; raise PullFailed."""
    try:
        source = copy.open("rb")
    except OSError as error:
        raise PullFailed(model=model.name, reason=f"{copy} cannot be read ({error.strerror})") from error
    with source, _part_of(model, target) as part:
        part.truncate(0)
        _copy(model, source, part, 0, told)
        _put_in_place(model, part, target)


def is_whole(model: ModelFile, target: Path) -> bool:
    """Say whether `target` is the model, to the last byte."""
    try:
        with target.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == model.sha256
    except OSError:
        return False


def part_path(target: Path) -> Path:
    """Where a model lies while it comes in."""
    return target.with_name(f"{target.name}.part")


@contextmanager
def _part_of(model: ModelFile, target: Path) -> Iterator[BufferedRandom]:
    """Open the part beside the target, for us alone; whatever is written goes to its end."""
    path = part_path(target)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as part:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield part
    except BlockingIOError:
        raise PullFailed(model=model.name, reason="another process is fetching it already") from None
    except OSError as error:
        why = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise PullFailed(model=model.name, reason=f"{path} cannot be written ({why})") from error


def _download(model: ModelFile, part: BufferedRandom, here: int, told: Told) -> None:
    try:
        with urlopen(_request(model, here), timeout=_PATIENCE_S) as answer:  # noqa: S310  # the manifest takes http(s) only
            if here and not (answer.status == _PARTIAL and answer.headers["Content-Range"].startswith(f"bytes {here}-")):
                part.truncate(0)  # the server cannot go on in the middle: from the start, then
                here = 0
            _copy(model, answer, part, here, told)
    except HTTPError as error:
        if error.code == _NOT_SATISFIABLE:
            part.truncate(0)
        raise PullFailed(model=model.name, reason=f"{model.url} answered {error.code} {error.reason}") from error
    except URLError as error:
        raise PullFailed(model=model.name, reason=f"{model.url} cannot be reached ({error.reason})") from error
    except (HTTPException, TimeoutError, ConnectionError) as error:
        raise _cut(model, part) from error


def _request(model: ModelFile, here: int) -> Request:
    headers = {"User-Agent": f"sightline/{__version__}"}
    if here:
        headers["Range"] = f"bytes={here}-"
    return Request(model.url, headers=headers)  # noqa: S310  # the manifest takes http(s) addresses only


def _copy(model: ModelFile, source: _Readable, part: BufferedRandom, here: int, told: Told) -> None:
    """Add what the source gives to the part, and stop where it is more than the model has."""
    while chunk := source.read(_CHUNK_BYTES):
        part.write(chunk)
        here += len(chunk)
        told(here)
        if here > model.size:
            part.truncate(0)
            raise PullFailed(model=model.name, reason=f"what comes in is larger than the {model.size} bytes it should be")
    part.flush()


def _put_in_place(model: ModelFile, part: BufferedRandom, target: Path) -> None:
    if os.fstat(part.fileno()).st_size < model.size:
        raise _cut(model, part)
    part.seek(0)
    sha256 = hashlib.file_digest(part, "sha256").hexdigest()
    if sha256 != model.sha256:
        part.truncate(0)
        raise PullFailed(model=model.name, reason=f"its SHA-256 is {sha256}, expected {model.sha256}; nothing of it was kept")
    os.fsync(part.fileno())
    part_path(target).replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _cut(model: ModelFile, part: BufferedRandom) -> PullFailed:
    part.flush()
    here = os.fstat(part.fileno()).st_size
    reason = f"it ended after {here} of {model.size} bytes; ask again to go on from there"
    return PullFailed(model=model.name, reason=reason)
