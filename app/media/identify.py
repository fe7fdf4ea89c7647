"""Tells what kind of source a file is by its first bytes, not by its name."""

from pathlib import Path

from app.domain.media import SourceKind

_IMAGES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP  ")
_MOTION_JPEG = frozenset({".mjpeg", ".mjpg"})


def identify(path: str | Path) -> SourceKind:
    """Say what a path is: a folder, an image, or else a video. Raises OSError when it cannot be read."""
    path = Path(path)
    if path.is_dir():
        return SourceKind.FOLDER
    with path.open("rb") as file:
        head = file.read(16)
    if path.suffix.lower() in _MOTION_JPEG:
        return SourceKind.VIDEO
    return SourceKind.IMAGE if _is_image(head) else SourceKind.VIDEO


def _is_image(head: bytes) -> bool:
    if head.startswith(_IMAGES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return True
    if head[4:12] in {b"ftypavif", b"ftypavis"}:
        return head[8:12] == b"avif"
    return head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace()
