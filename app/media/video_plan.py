"""Plans a video: measures it by one demux-only pass and a short trial decode, cuts it, and tells what is missing from it."""

from bisect import bisect_left, bisect_right
from typing import NamedTuple

from msgspec.structs import replace

from app.domain.job import WarningCode
from app.domain.media import DecodePlan, FrameClock, Loss, MediaInfo, PlannedSegment, SeekBy, SourcePlan
from app.media.grouping import Group, groups_by_count, groups_by_time, windows
from app.media.nal import Cut
from app.media.packets import Listing, list_packets
from app.media.trial import Trial, try_decode

_TIMED = frozenset({"mov", "matroska"})  # containers that keep presentation times
_SELF_CONTAINED = frozenset({"h264", "hevc", "vp8", "vp9", "libdav1d"})  # codecs whose headers say all
_BY_DTS = frozenset({"mpegts", "mpeg"})  # their seeks go by decode time


class _Layout(NamedTuple):
    """How a video's frames lie: its groups, each packet's frame index, and each frame's presentation time where trusted.

    `lead` counts pictures before the first one that can be decoded; they have no index.
    """

    groups: list[Group]
    ranks: list[int]
    times: list[int] | None
    lead: int

    @property
    def total(self) -> int:
        return self.groups[-1].end


def plan_video(path: str, name: str) -> SourcePlan:
    """Measure a video file and cut it into segments. Raises UnreadableMedia or EmptyMedia."""
    listing = list_packets(path, name)
    trial = try_decode(path, name, listing)
    layout = _by_time(listing, trial) if trial.clock is FrameClock.PTS else _by_count(listing, trial)
    decode = DecodePlan(
        stream_index=listing.stream_index,
        time_base=listing.time_base,
        first_pts=layout.times[0] if layout.times else 0,
        clock=trial.clock,
        fps=listing.fps,
        reorder_depth=_reorder_depth(listing, trial.clock),
        seek_by=_seek_by(listing),
    )
    segments = _segments(listing, layout, decode)
    return SourcePlan(_media(listing, trial, layout), decode, _with_losses(segments, _losses(listing, layout)))


def _media(listing: Listing, trial: Trial, layout: _Layout) -> MediaInfo:
    by_rate = round(layout.total / listing.fps, 6) if listing.fps else None
    return MediaInfo(
        width=trial.width,
        height=trial.height,
        frames=layout.total,
        duration_s=listing.duration_s or by_rate,
        fps=round(listing.fps, 6) if listing.fps else None,
        container=listing.container,
        codec=listing.codec,
        rotation=trial.rotation,
    )


def _by_time(listing: Listing, trial: Trial) -> _Layout:
    packets = listing.packets
    times = [packet.pts or 0 for packet in packets]  # none is None where the clock is PTS
    first = times[trial.first]
    kept = sorted(time for time, packet in zip(times, packets, strict=True) if not packet.discard)
    shown = kept[bisect_left(kept, first) :]
    ranks = [bisect_left(shown, time) for time in times]
    return _Layout(groups_by_time(packets, times, shown), ranks, shown, len(kept) - len(shown))


def _by_count(listing: Listing, trial: Trial) -> _Layout:
    packets = listing.packets
    first = trial.first if packets[trial.first].cut is Cut.CLEAN else 0
    ranks = [max(0, number - first) for number in range(len(packets))]
    return _Layout(groups_by_count(packets, first), ranks, None, first)


def _seek_by(listing: Listing) -> SeekBy:
    if listing.container in _BY_DTS:
        return SeekBy.DTS
    return SeekBy.NONE if listing.packets[0].pts is None else SeekBy.PTS


def _reorder_depth(listing: Listing, clock: FrameClock) -> int | None:
    """Give the decoder's reorder depth where it is all that a decoder needs beside the container's header.

    AVI keeps no presentation times: FFmpeg makes them up from what decoding showed, so where they are used it must decode.
    """
    known = listing.container in _TIMED or (listing.container == "avi" and clock is not FrameClock.PTS)
    return listing.reorder_depth if known and listing.codec in _SELF_CONTAINED else None


def _segments(listing: Listing, layout: _Layout, decode: DecodePlan) -> list[PlannedSegment]:
    segments = []
    numerator, denominator = decode.time_base
    for group in layout.groups:
        bounds: list[int] | range = range(group.end - group.start + 1)
        if layout.times:
            after = layout.times[group.end] if group.end < len(layout.times) else layout.times[-1] + 1
            bounds = [*layout.times[group.start : group.end], after]
        gaps = tuple(number - group.key for number, _ in listing.missing if group.key < number < group.key + group.feed)
        for start, end, entry in windows(group, listing.packets[group.key], bounds, gaps):
            time = start / decode.fps if decode.fps else None
            if layout.times:
                time = (layout.times[start] - decode.first_pts) * numerator / denominator
            segments.append(PlannedSegment(start, end, None if time is None else round(time, 6), entry))
    return segments


def _losses(listing: Listing, layout: _Layout) -> list[Loss]:
    """Tell what the file should hold and does not, each where its frames would stand."""
    total, losses = layout.total, []
    lost = str(WarningCode.FRAMES_LOST)
    if layout.lead:
        losses.append(Loss(lost, 0, layout.lead, "Pictures at the start need what came before them, which is not in the file."))
    for number, count in listing.missing:
        at = layout.ranks[number] if number < len(layout.ranks) else total
        losses.append(Loss(lost, at, count, "Pictures that the file's index names are missing from the file."))
    unseen = listing.promised - len(listing.packets)
    if unseen > 0 and not listing.missing:
        message = f"The file's header promises {listing.promised} pictures, {len(listing.packets)} are there."
        losses.append(Loss(lost, total, unseen, message))
    return losses


def _with_losses(segments: list[PlannedSegment], losses: list[Loss]) -> tuple[PlannedSegment, ...]:
    """Hand each loss to the segment it lies in (the last one for what is missing at the end)."""
    starts = [segment.start for segment in segments]
    places = [bisect_right(starts, loss.first_index) - 1 for loss in losses]
    held = {place: tuple(loss for loss, its in zip(losses, places, strict=True) if its == place) for place in places}
    return tuple(replace(segment, losses=held.get(place, ())) for place, segment in enumerate(segments))
