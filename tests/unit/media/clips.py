"""Small clips of every kind the media tests read, made with PyAV when first asked for."""

import os
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from app.media.nal import BitReader, nal_units, unescape

FRAMES = 200
SIZE = (96, 64)


@dataclass(frozen=True)
class Clip:
    """How a clip is made: `times` gives the presentation time of a frame in 1/25 s, `container` the muxer's options."""

    file: str
    codec: str
    options: Mapping[str, str] = field(default_factory=dict)
    frames: int = FRAMES
    times: Callable[[int], int] = int
    container: Mapping[str, str] = field(default_factory=dict)
    pix_fmt: str = "yuv420p"
    sound: bool = False


def x264(more: str = "", *, keyint: int = 40, bframes: int = 3) -> dict[str, str]:
    """Options of an H.264 clip."""
    params = f"keyint={keyint}:min-keyint={min(keyint, 10)}:scenecut=0:bframes={bframes}:b-adapt=0:threads=1"
    return {"preset": "veryfast", "crf": "30", "x264-params": f"{params}:{more}" if more else params}


def x265(more: str) -> dict[str, str]:
    """Options of an HEVC clip."""
    params = f"keyint=58:min-keyint=10:scenecut=0:bframes=4:pools=1:frame-threads=1:log-level=none:{more}"
    return {"preset": "ultrafast", "crf": "32", "x265-params": params}


def gop(size: int, bframes: int = 0) -> dict[str, str]:
    """Options of the older codecs."""
    return {"g": str(size), "bf": str(bframes), "sc_threshold": "1000000000", "threads": "1"}


_VPX = {"g": "40", "deadline": "realtime", "cpu-used": "8"}
_AS_GIVEN = {"avoid_negative_ts": "disabled"}
CLIPS = {
    "h264_closed": Clip("h264_closed.mp4", "libx264", x264()),
    "h264_open": Clip("h264_open.mp4", "libx264", x264("open-gop=1")),
    "h264_pyramid_open": Clip("h264_pyramid_open.mkv", "libx264", x264("open-gop=1:b-pyramid=normal:ref=4", bframes=7)),
    "h264_long": Clip("h264_long.mp4", "libx264", x264(keyint=1000)),
    "h264_intra": Clip("h264_intra.mp4", "libx264", x264(keyint=1, bframes=0)),
    "h264_refresh": Clip("h264_refresh.mp4", "libx264", x264("intra-refresh=1", bframes=0)),
    "h264_ts": Clip("h264.ts", "libx264", x264("open-gop=1")),
    "h264_avi": Clip("h264.avi", "libx264", x264()),
    "h264_avi_open": Clip("h264_open.avi", "libx264", x264("open-gop=1")),
    "h264_raw": Clip("raw.h264", "libx264", x264()),
    "h264_flv": Clip("h264.flv", "libx264", x264()),
    "h264_faststart": Clip("faststart.mp4", "libx264", x264("open-gop=1"), container={"movflags": "faststart"}),
    "h264_fragments": Clip("fragments.mp4", "libx264", x264(), container={"movflags": "frag_keyframe+empty_moov"}),
    "h264_vfr": Clip("vfr.mp4", "libx264", x264(), times=lambda n: n * 4 + n * n % 3),
    "h264_vfr_mkv": Clip("vfr.mkv", "libx264", x264("open-gop=1"), times=lambda n: n * 3 + n % 2),
    "h264_negative": Clip("negative.mp4", "libx264", x264(), times=lambda n: n - 30, container=_AS_GIVEN),
    "h264_negative_asf": Clip("negative.asf", "libx264", x264(), times=lambda n: n - 30, container=_AS_GIVEN),
    "h264_negative_wtv": Clip("negative.wtv", "libx264", x264(), times=lambda n: n - 30, container=_AS_GIVEN),
    "h264_timeless_mkv": Clip("timeless.mkv", "libx264", x264(), times=lambda n: n - 30, container=_AS_GIVEN),
    "h264_wrapped_flv": Clip("wrapped.flv", "libx264", x264(), times=lambda n: n - 30, container=_AS_GIVEN),
    "h264_late": Clip("late.ts", "libx264", x264(), times=lambda n: n + 5000),
    "h264_sound": Clip("sound.mp4", "libx264", x264(), sound=True),
    "h264_vfr_ts": Clip("vfr.ts", "libx264", x264("open-gop=1"), times=lambda n: n * 3 + n * n % 3),
    "h264_fields": Clip("fields.mp4", "libx264", x264("tff=1")),
    "h264_ten_bits": Clip("ten_bits.mp4", "libx264", x264("open-gop=1"), pix_fmt="yuv420p10le"),
    "hevc_closed": Clip("hevc.mp4", "libx265", x265("open-gop=0")),
    "hevc_open": Clip("hevc_open.mkv", "libx265", x265("open-gop=1")),
    "hevc_ts": Clip("hevc.ts", "libx265", x265("open-gop=1")),
    "hevc_intra": Clip("hevc_intra.mp4", "libx265", x265("keyint=1:min-keyint=1:bframes=0")),
    "hevc_long": Clip("hevc_long.mp4", "libx265", x265("keyint=1000:open-gop=0")),
    "hevc_vfr": Clip("hevc_vfr.mkv", "libx265", x265("open-gop=1"), times=lambda n: n * 4 + n * n % 3),
    "hevc_negative": Clip("hevc_negative.mp4", "libx265", x265("open-gop=0"), times=lambda n: n - 30, container=_AS_GIVEN),
    "hevc_raw": Clip("raw.hevc", "libx265", x265("open-gop=1")),
    "mpeg4_raw": Clip("raw.m4v", "mpeg4", gop(30, 2)),
    "mpeg4_mp4": Clip("mpeg4.mp4", "mpeg4", gop(30, 2)),
    "mpeg4_long": Clip("mpeg4_long.mp4", "mpeg4", gop(600, 2)),
    "mpeg4_vfr": Clip("mpeg4_vfr.mkv", "mpeg4", gop(30, 2), times=lambda n: n * 4 + n * n % 3),
    "mpeg4_avi": Clip("mpeg4.avi", "mpeg4", gop(30)),
    "mpeg4_avi_b": Clip("mpeg4_b.avi", "mpeg4", gop(30, 2)),
    "mpeg2_ts": Clip("mpeg2.ts", "mpeg2video", gop(15, 2)),
    "mpeg2_ps": Clip("mpeg2.mpg", "mpeg2video", gop(15, 2)),
    "mjpeg_avi": Clip("mjpeg.avi", "mjpeg", pix_fmt="yuvj420p"),
    "mjpeg_vfr": Clip("mjpeg_vfr.mov", "mjpeg", pix_fmt="yuvj420p", times=lambda n: n * 3 + n % 2),
    "mjpeg_mov": Clip("mjpeg.mov", "mjpeg", pix_fmt="yuvj420p"),
    "vp9": Clip("vp9.webm", "libvpx-vp9", _VPX | {"auto-alt-ref": "1", "lag-in-frames": "12"}),
    "vp9_vfr": Clip("vp9_vfr.webm", "libvpx-vp9", _VPX | {"g": "90"}, times=lambda n: n * 4 + n * n % 3),
    "vp9_mp4": Clip("vp9.mp4", "libvpx-vp9", _VPX | {"g": "1000"}),
    "vp8": Clip("vp8.webm", "libvpx", _VPX),
    "av1": Clip("av1.mp4", "libsvtav1", {"preset": "12", "g": "40", "svtav1-params": "lp=1"}, frames=100),
    "ffv1": Clip("ffv1.mkv", "ffv1", {"g": "20", "level": "3"}),
    "gif": Clip("anim.gif", "gif", frames=70, pix_fmt="rgb8"),
    "one_frame": Clip("one.mp4", "libx264", x264(), frames=1),
}  # fmt: skip


def pictures(count: int, size: tuple[int, int] = SIZE) -> Iterable[NDArray[np.uint8]]:
    """Yield pictures (height, width, 3), BGR: a texture on the move with grain, no two alike."""
    width, height = size
    noise = np.random.Generator(np.random.PCG64(5))
    canvas = noise.integers(30, 220, (height + 64, width + 2 * count, 3)).astype(np.float32)
    canvas = (canvas + np.roll(canvas, 1, 0) + np.roll(canvas, 1, 1)) / 3
    for n in range(count):
        grain = noise.integers(-12, 12, (height, width, 1))
        yield np.clip(canvas[n % 64 : n % 64 + height, 2 * n : 2 * n + width] + grain, 0, 255).astype(np.uint8)


@contextmanager
def same_schedule() -> Iterator[None]:
    """Keep this process scheduled as it was: SVT-AV1 as root takes real-time priority, and all children would inherit it."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    yield
    os.sched_setscheduler(0, policy, parameters)


def make(clip: Clip, folder: Path) -> Path:
    """Encode a clip into a folder."""
    path = folder / clip.file
    with same_schedule(), av.open(str(path), "w", options=dict(clip.container)) as container:
        stream: Any = container.add_stream(clip.codec, rate=25)
        stream.width, stream.height = SIZE
        stream.pix_fmt, stream.options = clip.pix_fmt, dict(clip.options)
        stream.codec_context.time_base = Fraction(1, 25)
        sound: Any = container.add_stream("aac", rate=16000, layout="mono") if clip.sound else None
        for n, pixels in enumerate(pictures(clip.frames)):
            frame = av.VideoFrame.from_ndarray(pixels, format="bgr24")
            frame.pts, frame.time_base = clip.times(n), Fraction(1, 25)
            container.mux(stream.encode(frame))
            if sound is not None:
                container.mux(sound.encode(_tone(n)))
        container.mux(stream.encode(None))
        if sound is not None:
            container.mux(sound.encode(None))
    return path


def _tone(n: int) -> av.AudioFrame:
    wave = (np.sin(np.arange(640) / 9)[None, :] * 0.2).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
    frame.sample_rate, frame.pts = 16000, n * 640
    return frame


def sound_only(path: Path) -> Path:
    """Write a file that holds a tone and no video."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("aac", rate=16000, layout="mono")
        for n in range(20):
            container.mux(stream.encode(_tone(n)))
        container.mux(stream.encode(None))
    return path


def turn(source: Path, target: Path, degrees: int) -> Path:
    """Copy an MP4, setting its video track's display matrix to a clockwise turn by 90, 180 or 270 degrees."""
    data = bytearray(source.read_bytes())
    sine, cosine = {90: (1, 0), 180: (0, -1), 270: (-1, 0)}[degrees]
    at = data.index(b"tkhd") + 4 + 40  # version 0: the matrix stands 40 bytes into the box's body
    one = 1 << 16
    data[at : at + 36] = struct.pack(">9i", cosine * one, sine * one, 0, -sine * one, cosine * one, 0, 0, 0, 1 << 30)
    target.write_bytes(data)
    return target


def without_depth(source: Path, target: Path) -> Path:
    """Copy an H.264 clip without the part of its SPS that says how deep pictures are reordered, as many cameras write it.

    The VUI is taken out (H.264 7.3.2.1.1) and zeros fill its place, so that nothing else in the file moves.
    """
    with av.open(str(source)) as container:
        extradata = container.streams.video[0].codec_context.extradata or b""
    units = [extradata[8:]] if extradata[0] == 1 else nal_units(extradata, 0)
    sps = next(unit for unit in units if unit[0] & 31 == 7)
    sps = sps[: int.from_bytes(extradata[6:8], "big")] if extradata[0] == 1 else sps.rstrip(b"\0")
    plain = unescape(sps)[1:]
    reader = BitReader(plain)
    reader.bits(24)
    fields = ["sps_id", "chroma_format", "luma_depth", "chroma_depth"]
    assert [reader.ue() for _ in fields][1] == 1
    assert reader.bits(2) == 0  # no scaling matrices
    assert [reader.ue() for _ in ["frame_num_bits", "poc_type", "poc_bits", "references"]][1] == 0
    reader.bits(1)
    reader.ue()
    reader.ue()
    assert reader.bits(1) == 1  # frames only
    reader.bits(1)
    assert reader.bits(1) == 0  # no cropping
    assert reader.bits(1) == 1  # the VUI follows
    kept = f"{int.from_bytes(plain, 'big'):0{len(plain) * 8}b}"[: reader.at - 1] + "01"
    short = sps[:1] + int(kept.ljust(-(-len(kept) // 8) * 8, "0"), 2).to_bytes(-(-len(kept) // 8), "big")
    assert b"\0\0\3" not in short
    data = source.read_bytes()
    assert sps in data
    target.write_bytes(data.replace(sps, short.ljust(len(sps), b"\0")))
    return target
