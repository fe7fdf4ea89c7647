"""Files of ours: uploads, streamed to disk and kept once under their hash, and what jobs put out."""

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import time
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

import msgspec

from app.domain.errors import DiskFull, UploadTooLarge
from app.domain.job import RowsPlace
from app.media.lines import lines_at

_PART = ".part"
_THUMBNAIL = "thumbnail.jpg"
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_ABANDONED_S = 3600  # an outputs file that was not written to for an hour has no writer any more
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")


def clean_name(name: str) -> str:
    """Make a file name safe to show: no folders, no control characters, no leading dots, at most 120 characters."""
    last = re.split(r"[/\\]", name.strip().rstrip("/\\"))[-1]
    shown = "".join(letter for letter in unicodedata.normalize("NFC", last) if letter.isprintable()).strip(" .")
    if len(shown) > 120:
        stem, dot, suffix = shown.rpartition(".")
        shown = f"{stem[: 119 - len(suffix)]}{dot}{suffix}" if dot and len(suffix) <= 10 else shown[:120]
    return shown or "upload"


@dataclass(frozen=True, slots=True)
class StoredUpload:
    """A finished upload: its safe name, where it lies, the SHA-256 of its bytes and how many they are."""

    name: str
    path: Path
    sha256: str
    size_bytes: int


class Upload:
    """An upload on its way to disk: hashed while it is written, never whole in memory."""

    def __init__(self, folder: Path, name: str, limit_bytes: int) -> None:
        self.name = clean_name(name)
        self._folder, self._limit = folder, limit_bytes
        self._hash, self.size_bytes = hashlib.sha256(), 0
        folder.mkdir(parents=True, exist_ok=True)
        with _no_room(self.name):
            self._file = NamedTemporaryFile(dir=folder, suffix=_PART, delete=False)  # noqa: SIM115  # closed by finish or discard
        self._path: Path | None = Path(self._file.name)
        fcntl.flock(self._file, fcntl.LOCK_EX)  # held while this process lives, so that no sweep takes the file away

    def write(self, chunk: bytes) -> None:
        """Append bytes. Raises UploadTooLarge as soon as the limit is passed and DiskFull; then nothing is left on disk."""
        self.size_bytes += len(chunk)
        if self.size_bytes > self._limit:
            self.discard()
            raise UploadTooLarge(limit_mb=self._limit // 1_000_000)
        try:
            with _no_room(self.name):
                self._file.write(chunk)
        except DiskFull:
            self.discard()
            raise
        self._hash.update(chunk)

    def finish(self) -> StoredUpload:
        """Put the file in its place under its hash; one that is there already is kept. Raises DiskFull."""
        if self._path is None:
            raise ValueError("the upload was discarded or finished before")
        try:
            with _no_room(self.name):
                self._file.flush()
                os.fsync(self._file.fileno())
        except DiskFull:
            self.discard()
            raise
        sha256 = self._hash.hexdigest()
        suffix = Path(self.name).suffix.lower()
        place = _stored(self._folder, sha256) or self._folder / (sha256 + (suffix if _SUFFIX.fullmatch(suffix) else ""))
        self._path.replace(place)
        self._path = None
        self._file.close()
        return StoredUpload(self.name, place, sha256, self.size_bytes)

    def discard(self) -> None:
        """Remove what was written; does nothing once the upload is finished."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None
        with contextlib.suppress(OSError):  # the last bytes found no room; the file is gone already
            self._file.close()


class Storage:
    """The folders `uploads` and `outputs` in Sightline's home."""

    def __init__(self, home: Path) -> None:
        self._uploads, self._outputs = home / "uploads", home / "outputs"

    def new_upload(self, name: str, limit_bytes: int) -> Upload:
        """Begin an upload; end it with `finish` or `discard`. Raises DiskFull."""
        return Upload(self._uploads, name, limit_bytes)

    def delete_upload(self, sha256: str) -> None:
        """Remove an upload by its hash, if it is there."""
        path = _stored(self._uploads, sha256)
        if path is not None:
            path.unlink(missing_ok=True)

    def outputs_folder(self, job_id: str) -> Path:
        """Where a job's outputs lie; may not exist yet."""
        if not re.fullmatch(r"[A-Za-z0-9_-]+", job_id):
            raise ValueError(f"{job_id!r} is no job's id")
        return self._outputs / job_id

    def delete_outputs(self, job_id: str) -> None:
        """Remove a job's outputs, if there are any."""
        with contextlib.suppress(FileNotFoundError):  # the job put nothing out
            shutil.rmtree(self.outputs_folder(job_id))

    def read_thumbnail(self, job_id: str) -> bytes | None:
        """Give the small picture kept of a job, or None."""
        with contextlib.suppress(FileNotFoundError):  # none was made yet
            return (self.outputs_folder(job_id) / _THUMBNAIL).read_bytes()
        return None

    def keep_thumbnail(self, job_id: str, jpeg: bytes) -> None:
        """Keep the small picture of a job; a disk with no room, or a job deleted meanwhile, keeps none."""
        folder = self.outputs_folder(job_id)
        part = folder / f"{_THUMBNAIL}.{os.getpid()}{_PART}"
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            part.write_bytes(jpeg)
            part.replace(folder / _THUMBNAIL)

    def sweep(self) -> None:
        """Remove what was half written when a process died. Files that another process is writing stay."""
        for part in self._uploads.glob(f"*{_PART}"):
            with part.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                part.unlink(missing_ok=True)
        for part in self._outputs.glob(f"*/*{_PART}"):
            if time.time() - part.stat().st_mtime > _ABANDONED_S:
                part.unlink(missing_ok=True)

    def read_rows(
        self, job_id: str, places: Iterable[tuple[RowsPlace, int, int]], start: int, end: int | None
    ) -> Iterator[bytes]:
        """Yield the rows of frames `[start, end)` as NDJSON lines, one at a time.

        `places` says where rows lie, with the frames `[first, after)` they are of, in frame order.
        """
        folder = self.outputs_folder(job_id)
        for place, first, after in places:
            if after <= start or (end is not None and first >= end):
                continue
            whole = first >= start and (end is None or after <= end)
            for line in lines_at(folder, place):
                if whole or _within(line, start, end):
                    yield line


class _Row(msgspec.Struct):
    frame_index: int


_row = msgspec.json.Decoder(_Row)


def _within(line: bytes, start: int, end: int | None) -> bool:
    index = _row.decode(line).frame_index
    return index >= start and (end is None or index < end)


def _stored(folder: Path, sha256: str) -> Path | None:
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError(f"{sha256!r} is no SHA-256")
    return next(folder.glob(f"{sha256}*"), None)


class _no_room:  # noqa: N801  # reads as a context: with _no_room(name)
    """Turns an error that says there is no room into DiskFull."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            raise DiskFull(what=self._what, reason=(error.strerror or "no room").lower()) from error
