"""Measures a source and cuts it into segments; the cuts depend on the source alone."""

import re
from pathlib import Path

from app.domain.errors import EmptyMedia, UnreadableMedia, UnsupportedSource
from app.domain.media import DecodePlan, MediaInfo, PlannedSegment, SourceKind, SourcePlan, SourceRef
from app.media.identify import identify
from app.media.sources.image import read_image
from app.media.video_plan import plan_video

_FOLDER_SEGMENT = 16  # images of a folder in one segment


def plan_source(ref: SourceRef) -> SourcePlan:
    """Measure and cut a source. Raises UnreadableMedia, EmptyMedia or UnsupportedSource."""
    if ref.path is None or ref.kind is SourceKind.STREAM:
        raise UnsupportedSource(name=ref.name, reason="addresses cannot be read yet")
    path = Path(ref.path)
    try:
        if ref.kind is SourceKind.FOLDER:
            return _plan_folder(path, ref.name)
        if not path.is_file():
            raise UnreadableMedia(name=ref.name, reason="it is not a file" if path.exists() else "there is no such file")
        if not path.stat().st_size:
            raise EmptyMedia(name=ref.name, reason="the file is empty")
        return _plan_image(path, ref.name) if ref.kind is SourceKind.IMAGE else plan_video(ref.path, ref.name)
    except OSError as error:
        raise UnreadableMedia(name=ref.name, reason=(error.strerror or type(error).__name__).lower()) from error


def _plan_image(path: Path, name: str) -> SourcePlan:
    pixels = read_image(path)
    if pixels is None:
        raise UnreadableMedia(name=name, reason="the image is damaged or of a kind that is not known here")
    height, width = pixels.shape[:2]
    kind = path.suffix.lstrip(".").lower() or "image"
    media = MediaInfo(width, height, 1, None, None, container=kind, codec=kind)
    return SourcePlan(media, DecodePlan(), (PlannedSegment(0, 1, 0.0),))


def _plan_folder(path: Path, name: str) -> SourcePlan:
    files = sorted((file.name for file in path.iterdir() if _is_image(file)), key=_natural)
    if not files:
        raise EmptyMedia(name=name, reason="the folder has no images in it")
    size = next((pixels.shape for file in files if (pixels := read_image(path / file)) is not None), None)
    if size is None:
        raise UnreadableMedia(name=name, reason="none of its images can be decoded")
    starts = range(0, len(files), _FOLDER_SEGMENT)
    segments = tuple(
        PlannedSegment(start, min(start + _FOLDER_SEGMENT, len(files)), files=tuple(files[start : start + _FOLDER_SEGMENT]))
        for start in starts
    )
    media = MediaInfo(size[1], size[0], len(files), None, None, container="folder", codec="images")
    return SourcePlan(media, DecodePlan(), segments)


def _is_image(file: Path) -> bool:
    return not file.name.startswith(".") and file.is_file() and identify(file) is SourceKind.IMAGE


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key that puts frame2 before frame10."""
    return [(int(part), part) if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
