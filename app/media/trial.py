"""A short trial decode: which clock tells a video's frames apart, and what its upright frames look like."""

from itertools import chain, pairwise
from typing import NamedTuple

import av

from app.domain.errors import UnreadableMedia
from app.domain.media import DecodePlan, FrameClock
from app.media.packets import Listing
from app.media.poc import PictureOrder, UnknownOrder
from app.media.sources.run import open_video, said, until_broken
from app.media.sources.video import quarter_turns

_FRAMES = 48
_UNNUMBERED = -1
_PACKETS = 2000  # a file that gives no picture within so many packets is not read further


class Trial(NamedTuple):
    """What the first frames showed: upright size in pixels, the turn applied to them (degrees counterclockwise), the clock.

    `first` is the number of the packet whose picture is shown first.
    """

    width: int
    height: int
    rotation: int
    clock: FrameClock
    first: int


def try_decode(path: str, name: str, listing: Listing) -> Trial:
    """Decode the first frames of a video; raise UnreadableMedia when there is not one."""
    plan = DecodePlan(stream_index=listing.stream_index)
    container, stream = open_video(path, plan)
    with container:
        order = PictureOrder(stream.codec_context.extradata) if listing.codec == "h264" else None
        shown, keys, frame, error = _decode(container, stream, order)
    if frame is None:
        raise UnreadableMedia(name=name, reason=f"none of its pictures can be decoded ({error})")
    turns = quarter_turns(frame.rotation)
    width, height = (frame.height, frame.width) if turns % 2 else (frame.width, frame.height)
    return Trial(width, height, turns * 90, _clock(listing, shown, keys), max(shown[0], 0))


def _decode(
    container: av.container.InputContainer, stream: av.VideoStream, order: PictureOrder | None
) -> tuple[list[int], dict[int, int], av.VideoFrame | None, str]:
    """Decode up to 48 frames: numbers of packets as their pictures are shown, picture orders by packet, the first frame."""
    shown: list[int] = []
    keys: dict[int, int] = {}
    first, error, ordinal = None, "the decoder gives none", 0
    context = stream.codec_context
    for packet in chain(until_broken(container.demux(stream)), (None,)):
        if packet is not None:
            if order is not None:
                order = _note_order(order, keys, ordinal, packet)
            packet.pts = packet.dts = ordinal
            ordinal += 1
        try:
            frames = context.decode(packet)
        except av.FFmpegError as failed:
            error, frames = said(failed).lower(), []
        shown.extend(_UNNUMBERED if frame.pts is None else frame.pts for frame in frames)
        first = first or next(iter(frames), None)
        if len(shown) >= _FRAMES or ordinal >= _PACKETS:
            break
    return shown, keys if order is not None else {}, first, error


def _note_order(
    order: PictureOrder, keys: dict[int, int], ordinal: int, packet: "av.Packet[av.VideoStream]"
) -> PictureOrder | None:
    try:
        keys[ordinal] = order.key(bytes(packet))
    except UnknownOrder:
        return None
    return order


def _clock(listing: Listing, shown: list[int], keys: dict[int, int]) -> FrameClock:
    """Trust presentation times only where nothing speaks against them; then H.264's own order; else count."""
    times = [packet.pts for packet in listing.packets]
    numbered = _UNNUMBERED not in shown
    if numbered and _times_hold(listing, times) and _rising([times[number] for number in shown]):
        return FrameClock.PTS
    if keys and _rising([keys.get(number) for number in shown]):
        return FrameClock.POC
    return FrameClock.COUNT


def _times_hold(listing: Listing, times: list[int | None]) -> bool:
    """None is missing, none is repeated, and they are not simply in decode order while the codec reorders."""
    if None in times or len(set(times)) != len(times):
        return False
    return not (listing.reorder_depth and len(times) > 1 and _rising(times))


def _rising(values: list[int | None]) -> bool:
    return all(a is not None and b is not None and a < b for a, b in pairwise(values))
