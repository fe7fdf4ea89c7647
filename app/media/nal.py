"""Where an H.264 or HEVC stream may be cut: reads NAL units of key packets (ITU-T H.264 7.3, H.265 7.3)."""

from collections.abc import Iterator
from enum import IntEnum


class Cut(IntEnum):
    """Whether decoding may start at a packet."""

    NONE = 0
    OPEN = 1  # pictures after it in decode order may be shown before it, and need what came before
    CLEAN = 2  # nothing after it needs anything before it


_H264_SLICES = frozenset({1, 2, 5})
_H264_SEI, _H264_IDR = 6, 5
_HEVC_IDR = frozenset({19, 20})
_HEVC_IRAP = range(16, 24)
_HEVC_LAST_SLICE = 31
_RECOVERY_POINT = 6  # SEI payload type (H.264 D.1.8)


def length_size(codec: str, extradata: bytes | None) -> int:
    """Bytes of the length before each NAL unit, as avcC or hvcC say; 0 where start codes part them (Annex B)."""
    if not extradata or extradata[:3] == b"\0\0\1" or extradata[:4] == b"\0\0\0\1":
        return 0
    where = 4 if codec == "h264" else 21
    return (extradata[where] & 3) + 1 if len(extradata) > where else 0


def nal_units(data: bytes, prefix: int) -> Iterator[bytes]:
    """Yield the NAL units of one packet; `prefix` is what `length_size` gave."""
    if prefix:
        at = 0
        while at + prefix < len(data):
            size = int.from_bytes(data[at : at + prefix], "big")
            at += prefix
            yield data[at : at + size]
            at += size
        return
    at = data.find(b"\0\0\1")
    while at >= 0:
        end = data.find(b"\0\0\1", at + 3)
        yield data[at + 3 : end if end >= 0 else len(data)]
        at = end


def cut_of(codec: str, data: bytes, prefix: int) -> Cut:
    """Say whether an `h264` or `hevc` stream may be cut before this packet.

    H.264: an IDR picture, or a recovery point that is exact at once (`recovery_frame_cnt == 0`): at any other, pictures stay
    wrong for a while. HEVC: an IRAP picture.
    """
    return _h264_cut(data, prefix) if codec == "h264" else _hevc_cut(data, prefix)


def _h264_cut(data: bytes, prefix: int) -> Cut:
    recovers = False
    for unit in nal_units(data, prefix):
        kind = unit[0] & 31 if unit else 0
        if kind == _H264_IDR:
            return Cut.CLEAN
        if kind == _H264_SEI:
            recovers = recovers or _recovery_frames(unit) == 0
        if kind in _H264_SLICES:
            return Cut.OPEN if recovers else Cut.NONE
    return Cut.NONE


def _hevc_cut(data: bytes, prefix: int) -> Cut:
    for unit in nal_units(data, prefix):
        kind = (unit[0] >> 1) & 63 if unit else _HEVC_LAST_SLICE + 1
        if kind <= _HEVC_LAST_SLICE:
            return Cut.CLEAN if kind in _HEVC_IDR else Cut.OPEN if kind in _HEVC_IRAP else Cut.NONE
    return Cut.NONE


def unescape(unit: bytes) -> bytes:
    """Take out the emulation prevention bytes (00 00 03) of a NAL unit."""
    return unit.replace(b"\0\0\3", b"\0\0")


def _recovery_frames(sei: bytes) -> int | None:
    """Read `recovery_frame_cnt` of a recovery point message; None when the SEI unit holds none."""
    data, at = unescape(sei), 1
    while at + 2 <= len(data):
        kind, at = _grown(data, at)
        size, at = _grown(data, at)
        if kind == _RECOVERY_POINT and at < len(data):
            return BitReader(data[at : at + size]).ue()
        at += size
    return None


def _grown(data: bytes, at: int) -> tuple[int, int]:
    """Read a number written as a row of 255s and a rest (H.264 7.3.2.3.1); give it and where it ends."""
    value = 0
    while at < len(data) and data[at] == 255:
        value, at = value + 255, at + 1
    return value + (data[at] if at < len(data) else 0), at + 1


class BitReader:
    """Reads bits and Exp-Golomb numbers (H.264 9.1); past the end it reads zeros."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._size = self._left = len(data) * 8

    @property
    def at(self) -> int:
        """How many bits were read."""
        return self._size - self._left

    def bits(self, count: int) -> int:
        """Read an unsigned number of `count` bits."""
        self._left -= count
        if self._left < 0:
            return 0
        return (self._value >> self._left) & ((1 << count) - 1)

    def ue(self) -> int:
        """Read an unsigned Exp-Golomb number."""
        zeros = 0
        while self._left > 0 and not self.bits(1):
            zeros += 1
        return (1 << zeros) - 1 + self.bits(zeros)

    def se(self) -> int:
        """Read a signed Exp-Golomb number."""
        number = self.ue()
        return (number + 1) // 2 if number & 1 else -(number // 2)
