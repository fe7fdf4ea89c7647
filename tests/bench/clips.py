"""Clips for benches: generated, so that every machine measures the same."""

from fractions import Fraction
from pathlib import Path

import av

from tests.conftest import moving_square

KEYFRAME_EVERY = 250  # what x264 does by itself


def write_long_clip(path: Path, *, frames: int, size: tuple[int, int]) -> Path:
    """Write H.264 of a moving square; the pictures repeat every 60 frames, so that drawing costs little."""
    width, height = size
    drawn = [moving_square(index, width, height) for index in range(60)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30), options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = KEYFRAME_EVERY
        for index in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(drawn[index % len(drawn)], format="bgr24")))
        container.mux(stream.encode())
    return path
