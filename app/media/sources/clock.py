"""Clocks: which frame of a run a decoded picture is, and which frames before it were lost.

Packets are numbered as they are fed; a picture comes back with the number of its packet. A clock turns these numbers into
keys that rise with presentation: times where the container's can be trusted, ranks since the run's first packet otherwise.
"""

from bisect import insort
from heapq import heappop, heappush
from typing import Protocol

import av
import msgspec

from app.domain.media import DecodePlan, FrameClock, SegmentEntry
from app.media.poc import PictureOrder, UnknownOrder

REORDER = 16  # no codec here shows a picture more than 16 pictures after one decoded later (H.264 A.3.1, H.265 A.4.2)


class Shown(msgspec.Struct, gc=False):
    """Keys of the frames that were lost before this one, and its own key (None: it comes too late and is not counted)."""

    lost: list[int]
    key: int | None


class Clock(Protocol):
    """Orders the frames of one run."""

    def feed(self, ordinal: int, packet: "av.Packet[av.VideoStream]") -> None:
        """Note the packet that is fed next; must see the packet's own times."""

    def show(self, ordinal: int | None) -> Shown:
        """Place the picture that the packet with this number gave."""

    def rest(self) -> list[int]:
        """Keys of what was fed and never shown, when the run has ended."""

    def before_key(self, ordinal: int) -> bool:
        """Say whether a packet's picture is shown before the run's key packet, and so belongs to the run before."""

    def early(self, key: int) -> bool:
        """Say the same of a frame's key."""


class TimeClock:
    """Keys are presentation times, rebased where the demuxer numbers packets otherwise than when the file was planned."""

    def __init__(self, key_pts: int, found_pts: int) -> None:
        self._key_pts, self._shift = key_pts, key_pts - found_pts
        self._times: dict[int, int] = {}
        self._fed: list[int] = []

    def feed(self, ordinal: int, packet: "av.Packet[av.VideoStream]") -> None:
        """Note the packet's presentation time; one that an edit list discards is never shown."""
        if packet.pts is None:
            return
        self._times[ordinal] = packet.pts + self._shift
        if not packet.is_discard:
            heappush(self._fed, packet.pts + self._shift)

    def show(self, ordinal: int | None) -> Shown:
        """Place a picture by its packet's time; what was fed with an earlier one is lost."""
        time = self._times.pop(ordinal, None) if ordinal is not None else None
        lost: list[int] = []
        if time is None:
            return Shown(lost, None)
        while self._fed and self._fed[0] < time:
            lost.append(heappop(self._fed))
        if not self._fed or self._fed[0] != time:
            return Shown(lost, None)
        return Shown(lost, heappop(self._fed))

    def rest(self) -> list[int]:
        """Times fed and never shown."""
        left, self._fed = sorted(self._fed), []
        return left

    def before_key(self, ordinal: int) -> bool:
        """Say whether the packet's time is before the key packet's."""
        return self.early(self._times.get(ordinal, self._key_pts))

    def early(self, key: int) -> bool:
        """Say whether this time is before the key packet's."""
        return key < self._key_pts


class OrderClock:
    """Keys are ranks, told by H.264's picture order counts."""

    def __init__(self, order: PictureOrder) -> None:
        self._order = order
        self._keys: dict[int, int] = {}
        self._fed: list[int] = []
        self._rank = 0

    def feed(self, ordinal: int, packet: "av.Packet[av.VideoStream]") -> None:
        """Note the packet's picture order; where damage hides it, the picture is taken to follow the one before."""
        try:
            key = self._order.key(bytes(packet))
        except UnknownOrder:
            key = self._keys.get(ordinal - 1, 0) + 1
        self._keys[ordinal] = key
        self._keys.pop(ordinal - 2 * REORDER, None)
        insort(self._fed, key)

    def show(self, ordinal: int | None) -> Shown:
        """Place a picture by its order; what was fed with a lower one is lost."""
        key = self._keys.get(ordinal) if ordinal is not None else None
        if key is None or key not in self._fed:
            return Shown([], None)
        place = self._fed.index(key)
        del self._fed[: place + 1]
        self._rank += place + 1
        return Shown(list(range(self._rank - place - 1, self._rank - 1)), self._rank - 1)

    def rest(self) -> list[int]:
        """Ranks of what was fed and never shown."""
        left, self._fed = len(self._fed), []
        self._rank += left
        return list(range(self._rank - left, self._rank))

    def before_key(self, ordinal: int) -> bool:
        """Such runs start at an IDR: nothing is shown before it."""
        del ordinal
        return False

    def early(self, key: int) -> bool:
        """Nothing is shown before the key packet."""
        del key
        return False


class CountClock:
    """Keys are ranks, counted as pictures come; a packet overtaken by one fed much later is lost."""

    def __init__(self) -> None:
        self._waiting: list[int] = []
        self._rank = 0

    def feed(self, ordinal: int, packet: "av.Packet[av.VideoStream]") -> None:
        """Note that the packet should give a picture."""
        if not packet.is_discard:
            self._waiting.append(ordinal)

    def show(self, ordinal: int | None) -> Shown:
        """Count the picture, after those that are lost by now."""
        if not self._waiting:
            return Shown([], None)
        if ordinal is None or ordinal not in self._waiting:
            ordinal = self._waiting[0]
        self._waiting.remove(ordinal)
        overtaken = sum(1 for other in self._waiting if other < ordinal - REORDER)
        del self._waiting[:overtaken]
        self._rank += overtaken + 1
        return Shown(list(range(self._rank - overtaken - 1, self._rank - 1)), self._rank - 1)

    def rest(self) -> list[int]:
        """Ranks of what was fed and never shown."""
        left, self._waiting = len(self._waiting), []
        self._rank += left
        return list(range(self._rank - left, self._rank))

    def before_key(self, ordinal: int) -> bool:
        """Such runs start where nothing is shown before the key packet."""
        del ordinal
        return False

    def early(self, key: int) -> bool:
        """Nothing is shown before the key packet."""
        del key
        return False


def clock_for(plan: DecodePlan, entry: SegmentEntry, key_packet: "av.Packet[av.VideoStream]", extradata: bytes | None) -> Clock:
    """Make the clock the plan names, for a run that starts at this key packet."""
    if plan.clock is FrameClock.POC:
        return OrderClock(PictureOrder(extradata))
    if plan.clock is FrameClock.PTS and entry.key_pts is not None and key_packet.pts is not None:
        return TimeClock(entry.key_pts, key_packet.pts)
    return CountClock()
