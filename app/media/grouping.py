"""Cuts a video's packets into runs and windows: pure arithmetic on what the demux-only pass told."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from app.domain.media import SegmentEntry
from app.media.nal import Cut
from app.media.packets import PacketFact

SEGMENT_FRAMES = 64


class Group(NamedTuple):
    """A run to be planned: its key packet's number, how many packets it feeds, and its frames `[start, end)`."""

    key: int
    feed: int
    start: int
    end: int


class Window(NamedTuple):
    """Frames `[start, end)` of one group."""

    start: int
    end: int
    entry: SegmentEntry


def groups_by_time(packets: Sequence[PacketFact], times: list[int], shown: list[int]) -> list[Group]:
    """Cut where a key packet is shown after all that was decoded before it.

    `times` holds each packet's presentation time, `shown` those of the frames that have an index, sorted. Pictures that follow
    a key packet in the file and are shown before it belong to the run before, which is therefore fed on to the last of them.
    """
    latest = list(accumulate(times, max))
    cuts = [
        number
        for number in range(len(packets))
        if not number or (packets[number].cut and times[number] > max(latest[number - 1], shown[0]))
    ]
    starts = [0] + [bisect_left(shown, times[cut]) for cut in cuts[1:]]
    chosen = _chosen(starts, len(shown))
    earliest = list(accumulate(reversed(times), min))[::-1]  # of each packet and all after it: never falls
    groups = []
    for here, after in pairwise([*chosen, None]):
        assert here is not None  # noqa: S101  # only the last of the pairs' second halves is None
        if after is None:
            groups.append(Group(cuts[here], len(packets) - cuts[here], starts[here], len(shown)))
        else:
            fed_to = bisect_left(earliest, times[cuts[after]])
            groups.append(Group(cuts[here], fed_to - cuts[here], starts[here], starts[after]))
    return groups


def groups_by_count(packets: Sequence[PacketFact], first: int) -> list[Group]:
    """Cut only where nothing refers back, and take each packet from number `first` on for one frame."""
    cuts = [first] + [n for n in range(first + 1, len(packets)) if packets[n].cut is Cut.CLEAN]
    starts = [cut - first for cut in cuts]
    groups = []
    for here, after in pairwise([*_chosen(starts, len(packets) - first), None]):
        assert here is not None  # noqa: S101  # only the last of the pairs' second halves is None
        end = len(packets) if after is None else cuts[after]
        groups.append(Group(cuts[here], end - cuts[here], starts[here], end - first))
    return groups


def windows(group: Group, packet: PacketFact, bounds: Sequence[int], gaps: tuple[int, ...]) -> list[Window]:
    """Part a group into segments of about 64 frames; `bounds` holds the clock's key of each frame and of the group's end."""
    count = group.end - group.start
    parts = max(1, round(count / SEGMENT_FRAMES))
    edges = [count * part // parts for part in range(parts + 1)]
    return [
        Window(
            group.start + a,
            group.start + b,
            SegmentEntry(packet.pts, packet.dts, packet.pos, packet.size, group.feed, bounds[a], bounds[b], gaps),
        )
        for a, b in pairwise(edges)
    ]


def _chosen(starts: Sequence[int], total: int) -> list[int]:
    """Choose which cuts to use so that groups come as near to 64 frames as they can: indices into `starts`."""
    chosen = [0]
    for here in range(1, len(starts)):
        with_next = (starts[here + 1] if here + 1 < len(starts) else total) - starts[chosen[-1]]
        without = starts[here] - starts[chosen[-1]]
        if without and starts[here] < total and SEGMENT_FRAMES - without < with_next - SEGMENT_FRAMES:
            chosen.append(here)
    return chosen
