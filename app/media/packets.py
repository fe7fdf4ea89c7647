"""What a demux-only pass over a file tells: its packets, where it may be cut, what its header promised."""

import struct
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import av

from app.domain.errors import EmptyMedia, UnreadableMedia
from app.media.nal import Cut, cut_of, length_size
from app.media.sources.run import said, until_broken

_CHUNK_HEADER = 8  # bytes: AVI's index names the chunk, its packets what follows the chunk's header (RIFF)
# Codecs whose key packets, as the container flags them, start a group that needs nothing from before but leading pictures.
_OPEN: Final = frozenset({
    "mpeg1video", "mpeg2video", "mpeg4", "msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "h263", "h263p", "flv1", "wmv1", "wmv2",
    "vp8", "vp9", "libvpx-vp9", "av1", "libdav1d", "theora", "ffv1",
})  # fmt: skip
# Codecs whose every picture stands alone.
_INTRA: Final = frozenset({
    "mjpeg", "rawvideo", "prores", "dnxhd", "huffyuv", "ffvhuff", "utvideo", "v210", "dvvideo", "png", "jpeg2000",
    "magicyuv", "cfhd",
})  # fmt: skip


class PacketFact(NamedTuple):
    """One packet as the demuxer gave it; its number is its place in the list."""

    pts: int | None
    dts: int | None
    pos: int | None
    size: int
    cut: Cut
    discard: bool


class Listing(NamedTuple):
    """A file's video stream, measured without decoding. `promised` is the frame count its header or index names (0: none).

    `missing` tells packets that stand in the container's index and were not found: (number of packets before, how many).
    """

    container: str
    codec: str
    stream_index: int
    time_base: tuple[int, int]
    fps: float | None
    duration_s: float | None
    reorder_depth: int
    packets: list[PacketFact]
    promised: int
    missing: list[tuple[int, int]]


def list_packets(path: str, name: str) -> Listing:
    """Read every packet of the best video stream of a file.

    Raises UnreadableMedia where the file cannot be opened, EmptyMedia where it holds no video or no packets.
    """
    try:
        container = av.open(path, metadata_errors="replace")
    except av.EOFError as error:
        raise EmptyMedia(name=name, reason="the file ends before its first picture") from error
    except av.FFmpegError as error:
        raise UnreadableMedia(name=name, reason=_why_closed(path, error)) from error
    with container:
        stream = _best_video(container, name)
        codec = stream.codec_context
        indexed = [entry.pos for entry in stream.index_entries]
        packets = _read(container, stream)
        if not packets:
            raise EmptyMedia(name=name, reason="its video track has no pictures")
        rate = stream.average_rate or stream.guessed_rate
        base = stream.time_base
        return Listing(
            container=container.format.name.split(",")[0],
            codec=codec.name,
            stream_index=stream.index,
            time_base=(base.numerator, base.denominator) if base else (1, 1),
            fps=float(rate) if rate else None,
            duration_s=_duration(container, stream),
            reorder_depth=codec.reorder_depth,
            packets=packets,
            promised=max(stream.frames, 0),
            missing=_missing(indexed, packets, _CHUNK_HEADER if container.format.name == "avi" else 0),
        )


def _why_closed(path: str, error: av.FFmpegError) -> str:
    with Path(path).open("rb") as file:
        head = file.read(4096)
        if _is_text(head):
            return "it is text, not media"
        if head[4:8] == b"ftyp" and not _has_moov(file):
            return "the file is cut off before its index (moov), so its pictures cannot be found"
    return said(error).lower()


def _has_moov(file: BinaryIO) -> bool:
    """Walk the boxes of an MP4 (ISO/IEC 14496-12 4.2) until the one that says where the pictures are."""
    at, end = 0, file.seek(0, 2)
    while at + 8 <= end:
        file.seek(at)
        size, kind = struct.unpack(">I4s", file.read(8))
        if kind == b"moov":
            return True
        if size == 1 and at + 16 <= end:
            (size,) = struct.unpack(">Q", file.read(8))
        if size < 8:
            return False
        at += size
    return False


def _is_text(head: bytes) -> bool:
    try:
        words = head[:-4].decode() if len(head) > 4 else head.decode()
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter.isspace() for letter in words)


def _best_video(container: av.container.InputContainer, name: str) -> av.VideoStream:
    pictures = [stream for stream in container.streams.video if av.stream.Disposition.attached_pic in stream.disposition]
    videos = [stream for stream in container.streams.video if stream not in pictures]
    best = container.streams.best("video")
    if best in videos:
        videos.insert(0, best)
    if videos and videos[0].codec_context is not None:
        return videos[0]
    if videos:
        raise UnreadableMedia(name=name, reason="there is no decoder for its video")
    reason = "it holds sound only" if container.streams.audio else "it has no video track"
    raise EmptyMedia(name=name, reason=reason)


def _read(container: av.container.InputContainer, stream: av.VideoStream) -> list[PacketFact]:
    codec = stream.codec_context.name
    prefix = length_size(codec, stream.codec_context.extradata)
    nal, plain = codec in {"h264", "hevc"}, _plain_cut(codec)
    packets: list[PacketFact] = []
    for packet in until_broken(container.demux(stream)):
        cut = plain if packet.is_keyframe else Cut.NONE
        if nal and packet.is_keyframe:
            cut = cut_of(codec, bytes(packet), prefix)
        packets.append(PacketFact(packet.pts, packet.dts, packet.pos, packet.size, cut, packet.is_discard))
    return packets


def _plain_cut(codec: str) -> Cut:
    if codec in _INTRA:
        return Cut.CLEAN
    return Cut.OPEN if codec in _OPEN else Cut.NONE


def _duration(container: av.container.InputContainer, stream: av.VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return round(float(stream.duration * stream.time_base), 6)
    return round(container.duration / 1_000_000, 6) if container.duration else None


def _missing(indexed: list[int], packets: list[PacketFact], header: int) -> list[tuple[int, int]]:
    """Find packets that the container's index names and the file no longer gives, by where they lie after `header` bytes."""
    if len(indexed) <= len(packets):
        return []  # the demuxer keeps no index, fills it as it goes, or all is there
    places = {packet.pos - header: number for number, packet in enumerate(packets) if packet.pos is not None}
    if not any(pos in places for pos in indexed):
        return []
    gaps: list[tuple[int, int]] = []
    number = 0
    for pos in indexed:
        found = places.get(pos)
        if found is not None:
            number = found + 1
        elif gaps and gaps[-1][0] == number:
            gaps[-1] = number, gaps[-1][1] + 1
        else:
            gaps.append((number, 1))
    return gaps
