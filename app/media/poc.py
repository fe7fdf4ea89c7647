"""H.264's own picture order: reads it from slice headers, for files whose container keeps no true times (H.264 8.2.1)."""

from typing import NamedTuple

from app.media.nal import BitReader, length_size, nal_units, unescape

_HIGH = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})  # profiles with chroma fields in the SPS
_PERIOD = 40  # bits left of a period's picture order counts
_HEADER_BYTES = 48  # a slice header's part read here is shorter, escapes counted
_IDR, _SLICE, _SPS, _PPS = 5, 1, 7, 8


class UnknownOrder(ValueError):
    """The stream's picture order is of a kind not read here: fields, type 1, or a slice without its parameter sets."""


class _Sps(NamedTuple):
    separate_planes: bool
    frame_num_bits: int
    poc_type: int
    lsb_bits: int
    frames_only: bool


class PictureOrder:
    """Gives each packet of a run that starts at an IDR a number that rises in the order the pictures are shown."""

    def __init__(self, extradata: bytes | None) -> None:
        self._prefix = length_size("h264", extradata)
        self._sps: dict[int, _Sps] = {}
        self._pps: dict[int, int] = {}
        self._period = self._fed = 0
        self._lsb = self._msb = 0
        if extradata and not self._prefix:
            for unit in nal_units(extradata, 0):
                self._take_parameters(unit)
        elif extradata:
            self._take_avcc(extradata)

    def key(self, data: bytes) -> int:
        """Give the number for the next packet in decode order; raise UnknownOrder where it cannot be told."""
        for unit in nal_units(data, self._prefix):
            self._take_parameters(unit)
            if unit and unit[0] & 31 in {_IDR, _SLICE}:
                return self._of_slice(unit)
        raise UnknownOrder("no slice")

    def _take_avcc(self, extradata: bytes) -> None:
        at = 5
        for mask in (31, 255):  # the count of SPS stands in five bits, that of PPS in eight
            if at >= len(extradata):
                return
            count, at = extradata[at] & mask, at + 1
            for _ in range(count):
                size = int.from_bytes(extradata[at : at + 2], "big")
                self._take_parameters(extradata[at + 2 : at + 2 + size])
                at += 2 + size

    def _take_parameters(self, unit: bytes) -> None:
        kind = unit[0] & 31 if unit else 0
        if kind == _SPS:
            number, sps = _read_sps(BitReader(unescape(unit)[1:]))
            self._sps[number] = sps
        elif kind == _PPS:
            reader = BitReader(unescape(unit[:_HEADER_BYTES])[1:])
            number = reader.ue()
            self._pps[number] = reader.ue()

    def _of_slice(self, unit: bytes) -> int:
        idr, reference = unit[0] & 31 == _IDR, bool(unit[0] & 0x60)
        reader = BitReader(unescape(unit[:_HEADER_BYTES])[1:])
        reader.ue()
        reader.ue()
        sps = self._sps.get(self._pps.get(reader.ue(), -1))
        if sps is None or sps.poc_type == 1:
            raise UnknownOrder("no parameter set, or order of type 1")
        reader.bits(2 if sps.separate_planes else 0)
        reader.bits(sps.frame_num_bits)
        if not sps.frames_only and reader.bits(1):
            raise UnknownOrder("field pictures")
        if idr:
            reader.ue()
            self._period, self._fed, self._lsb, self._msb = self._period + 1, 0, 0, 0
        self._fed += 1
        count = self._fed if sps.poc_type else self._count(reader.bits(sps.lsb_bits), sps.lsb_bits, reference=reference)
        return (self._period << _PERIOD) + count

    def _count(self, lsb: int, bits: int, *, reference: bool) -> int:
        """Complete the low bits of a picture order count of type 0 (H.264 8.2.1.1)."""
        size, msb = 1 << bits, self._msb
        if lsb < self._lsb and self._lsb - lsb >= size // 2:
            msb += size
        elif lsb > self._lsb and lsb - self._lsb > size // 2:
            msb -= size
        if reference:
            self._lsb, self._msb = lsb, msb
        return msb + lsb


def _read_sps(reader: BitReader) -> tuple[int, _Sps]:
    profile = reader.bits(8)
    reader.bits(16)
    number, separate = reader.ue(), False
    if profile in _HIGH:
        chroma = reader.ue()
        separate = chroma == 3 and bool(reader.bits(1))
        reader.ue()
        reader.ue()
        reader.bits(1)
        if reader.bits(1):
            for index in range(12 if chroma == 3 else 8):
                _skip_scaling_list(reader, 16 if index < 6 else 64)
    frame_num_bits = reader.ue() + 4
    poc_type = reader.ue()
    lsb_bits = reader.ue() + 4 if poc_type == 0 else 0
    if poc_type == 1:
        return number, _Sps(separate, frame_num_bits, 1, 0, frames_only=True)
    reader.ue()
    reader.bits(1)
    reader.ue()
    reader.ue()
    return number, _Sps(separate, frame_num_bits, poc_type, lsb_bits, bool(reader.bits(1)))


def _skip_scaling_list(reader: BitReader, size: int) -> None:
    if not reader.bits(1):
        return
    last = scale = 8
    for _ in range(size):
        if scale:
            scale = (last + reader.se()) % 256
        last = scale or last
