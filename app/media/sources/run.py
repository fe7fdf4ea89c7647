"""One run: a file opened afresh, brought to a key packet, and decoded from there in order."""

from bisect import insort
from collections.abc import Generator, Iterator
from itertools import chain

import av
import msgspec

from app.domain.media import DecodePlan, SeekBy, SegmentEntry
from app.media.sources.clock import Clock, Shown, clock_for

_REWINDS = 13  # one second, then twice as far each time: beyond an hour, read from the start


# Opens a file without decoding its first pictures: eight milliseconds less at 720p, for each run.
_QUICKLY = {"skip_frame": "all", "probesize": "32", "analyzeduration": "1", "fpsprobesize": "0"}
_GAP = "a picture before it is missing"
_BEGINNING = -(1 << 63)  # before every key


class Event(msgspec.Struct, gc=False):
    """A frame of the run by its key on the plan's clock; `frame` is None where it was lost.

    `doubt` says why the picture may be wrong (empty: no reason to think so).
    """

    key: int
    frame: av.VideoFrame | None
    doubt: str


class KeyPacketGone(Exception):
    """The key packet of the plan is not in the file any more."""


def said(error: av.FFmpegError) -> str:
    """What FFmpeg says of an error, without addresses and codes."""
    return (error.strerror or type(error).__name__).rstrip(".")


def open_video(path: str, plan: DecodePlan) -> tuple[av.container.InputContainer, av.VideoStream]:
    """Open a file and its planned video stream, its decoder set to the plan's threads."""
    quick = plan.reorder_depth is not None
    container = av.open(path, metadata_errors="replace", options=_QUICKLY if quick else {})
    stream = container.streams[plan.stream_index]
    if not isinstance(stream, av.VideoStream):
        container.close()
        raise KeyPacketGone(f"stream {plan.stream_index} is not a video any more")
    stream.codec_context.thread_type = plan.thread_type
    stream.codec_context.thread_count = plan.thread_count
    if plan.reorder_depth is not None:
        stream.codec_context.reorder_depth = plan.reorder_depth
    return container, stream


class Run:
    """Decodes what follows one key packet, as the plan cut it; gives each of its frames once, in order, found or lost.

    The same key packet gives the same events whatever was read before: the file is opened afresh, since a demuxer that has
    been moved about gives other packets on damaged files.
    """

    def __init__(self, path: str, plan: DecodePlan, entry: SegmentEntry) -> None:
        self.entry = entry
        self._container, self._stream, self._packets = _open_at(path, plan, entry)
        self._context = self._stream.codec_context
        first = next(self._packets)
        self._packets = chain((first,), self._packets)
        self._clock: Clock = clock_for(plan, entry, first, self._context.extradata)
        # Packets from which on pictures may be wrong, up to the next key picture; those after a gap in the file to begin with.
        self._doubts = [(number, _GAP) for number in entry.gaps]
        self._events = self._decode()
        self._held: Event | None = None
        self.passed = _BEGINNING  # every event before this key was given or passed over

    def between(self, first: int, until: int) -> Iterator[Event]:
        """Give the events with `first <= key < until`, passing over those before; what lies behind stays for the next time."""
        events = self._events if self._held is None else chain((self._held,), self._events)
        self._held = None
        for event in events:
            if event.key >= until:
                self._held = event
                return
            self.passed = event.key + 1
            if event.key >= first:
                yield event

    def shared_with(self, entry: SegmentEntry) -> bool:
        """Say whether another segment is decoded from the same key packet."""
        return self.entry.shares_key(entry)

    def close(self) -> None:
        """Close the file."""
        self._events.close()
        self._container.close()

    def _decode(self) -> Generator[Event, None, None]:
        clock, feed, ordinal = self._clock, self.entry.feed, 0
        for packet in self._packets:
            clock.feed(ordinal, packet)
            if packet.is_corrupt:
                self._suspect(ordinal, "a packet is damaged")
            packet.pts = packet.dts = ordinal
            for frame in self._given(packet, ordinal):
                shown = clock.show(frame.pts)
                if shown.lost or self._doubts or frame.is_corrupt:
                    yield from self._place(frame, shown, ordinal)
                elif shown.key is not None:
                    yield Event(shown.key, frame, "")
            ordinal += 1
            if ordinal == feed:
                break
        for frame in self._given(None, ordinal):
            yield from self._place(frame, clock.show(frame.pts), ordinal)
        for key in clock.rest():
            yield Event(key, None, "")

    def _given(self, packet: "av.Packet[av.VideoStream] | None", ordinal: int) -> list[av.VideoFrame]:
        """Give the pictures that come out of the decoder with a packet, or without one at the end."""
        try:
            return self._context.decode(packet)
        except av.FFmpegError as error:
            self._suspect(ordinal, said(error))
            return []

    def _place(self, frame: av.VideoFrame, shown: Shown, fed: int) -> Iterator[Event]:
        """Give the frames lost before this one and, unless it comes too late, this one, with what makes it doubtful."""
        number = fed if frame.pts is None else frame.pts
        for key in shown.lost:
            yield Event(key, None, "")
        if frame.key_frame:
            self._doubts = [doubt for doubt in self._doubts if doubt[0] >= number]
        elif any(not self._clock.early(key) for key in shown.lost):
            insort(self._doubts, (number, _GAP))
        if frame.is_corrupt:
            insort(self._doubts, (number, "the picture is damaged"))
        if shown.key is not None:
            doubtful = self._doubts and self._doubts[0][0] <= number
            yield Event(shown.key, frame, self._doubts[0][1] if doubtful else "")

    def _suspect(self, ordinal: int, why: str) -> None:
        """Doubt what is decoded from this packet on, unless its picture belongs to the run before."""
        if not self._clock.before_key(ordinal):
            insort(self._doubts, (ordinal, why))


def _open_at(
    path: str, plan: DecodePlan, entry: SegmentEntry
) -> tuple[av.container.InputContainer, av.VideoStream, Iterator["av.Packet[av.VideoStream]"]]:
    """Open the file with its next packet being the entry's key packet: seek, and rewind further where that lands late."""
    target = {SeekBy.PTS: entry.key_pts, SeekBy.DTS: entry.key_dts, SeekBy.NONE: None}[plan.seek_by]
    second = max(1, plan.time_base[1] // plan.time_base[0])
    rewinds = [] if target is None else [0, *(second << n for n in range(_REWINDS))]
    for back in (*rewinds, None):
        container, stream = open_video(path, plan)
        try:
            if back is not None and target is not None:
                container.seek(target - back, stream=stream)
            packets = _from_key(container.demux(stream), entry, to_the_end=back is None)
            if packets is not None:
                return container, stream, packets
        except av.FFmpegError:
            pass  # a seek before the start fails in some formats: the next try reads from there
        container.close()
    raise KeyPacketGone(f"the key packet at {entry.key_pts} is not in the file any more")


def _from_key(
    packets: Iterator["av.Packet[av.VideoStream]"], entry: SegmentEntry, *, to_the_end: bool
) -> Iterator["av.Packet[av.VideoStream]"] | None:
    """Skip to the key packet and give it with all that follow; None when it lies behind or nowhere."""
    filled = until_broken(packets)
    for packet in filled:
        if _is_key(packet, entry):
            return chain((packet,), filled)
        if not to_the_end and _is_past(packet, entry):
            return None
    return None


def until_broken(packets: Iterator["av.Packet[av.VideoStream]"]) -> Iterator["av.Packet[av.VideoStream]"]:
    """Give packets that hold something until the file ends or cannot be read further."""
    try:
        for packet in packets:
            if packet.size:
                yield packet
    except (av.FFmpegError, IndexError):  # PyAV's IndexError: a damaged file seems to hold a stream more
        return


def _is_key(packet: "av.Packet[av.VideoStream]", entry: SegmentEntry) -> bool:
    if packet.size != entry.key_size:
        return False
    if packet.pos is not None and entry.key_pos is not None:
        return packet.pos == entry.key_pos
    return packet.pts == entry.key_pts and packet.dts == entry.key_dts


def _is_past(packet: "av.Packet[av.VideoStream]", entry: SegmentEntry) -> bool:
    if packet.pos is not None and entry.key_pos is not None:
        return packet.pos > entry.key_pos
    return packet.dts is not None and entry.key_dts is not None and packet.dts > entry.key_dts
