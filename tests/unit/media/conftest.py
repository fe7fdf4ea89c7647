"""Fixtures of the media tests: small clips, and frames as digests that can be compared."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import av
import pytest

from app.domain.media import Loss, PlannedSegment, SourceKind, SourcePlan, SourceRef
from app.media.planning import plan_source
from app.media.sources import Source, open_source
from app.media.sources.video import Upright
from tests.unit.media.clips import CLIPS, make

ClipPath = Callable[[str], Path]


class Read(NamedTuple):
    """What reading a segment gave: (index, media time, digest of the pixels) of each frame, and the losses."""

    frames: list[tuple[int, float | None, str]]
    losses: list[Loss]


def read(source: Source, planned: PlannedSegment) -> Read:
    """Read a segment to its end."""
    frames = [(frame.index, frame.t_s, digest(frame.pixels.tobytes())) for frame in source.frames(planned)]
    return Read(frames, list(source.losses))


def read_alone(ref: SourceRef, plan: SourcePlan, planned: PlannedSegment) -> Read:
    """Read a segment with a source that has read nothing else."""
    source = open_source(ref, plan)
    try:
        return read(source, planned)
    finally:
        source.close()


def read_in_order(ref: SourceRef, plan: SourcePlan, order: Iterable[PlannedSegment]) -> dict[int, Read]:
    """Read segments with one source in the order given; by the segments' first frames."""
    source = open_source(ref, plan)
    try:
        return {planned.start: read(source, planned) for planned in order}
    finally:
        source.close()


def straight(path: Path) -> list[str]:
    """Digests of a straight decode of the file, by PyAV alone."""
    upright = Upright()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_type = "NONE"
        return [digest(upright.pixels(frame).tobytes()) for frame in container.decode(stream)]


def digest(data: bytes) -> str:
    """Short digest of a picture."""
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def video(path: Path) -> SourceRef:
    """Refer to a video file."""
    return SourceRef(SourceKind.VIDEO, path.name, str(path))


def planned(path: Path) -> tuple[SourceRef, SourcePlan]:
    """Refer to a video file, with its plan."""
    ref = video(path)
    return ref, plan_source(ref)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> ClipPath:
    """Give the path of a clip by its name in CLIPS, made when first asked for."""
    folder = tmp_path_factory.mktemp("clips")
    made: dict[str, Path] = {}

    def path_of(name: str) -> Path:
        if name not in made:
            made[name] = make(CLIPS[name], folder)
        return made[name]

    return path_of
