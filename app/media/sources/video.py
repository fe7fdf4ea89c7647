"""Videos as sources: any planned segment, alone and in any order, bit-identical to a straight decode of the file."""

from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from app.domain.media import DecodePlan, FrameClock, Loss, PlannedSegment, SegmentEntry
from app.media.sources import DecodedFrame
from app.media.sources.losses import LossLog
from app.media.sources.run import KeyPacketGone, Run


class Upright:
    """Turns decoded frames into upright BGR arrays, by the frame's own colour tags and display matrix."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def pixels(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """Give the picture as a read-only array (height, width, 3), uint8, BGR."""
        array: NDArray[Any] = self._reformatter.reformat(frame, format="bgr24", threads=1).to_ndarray()
        rotation = frame.rotation
        if rotation and (turns := quarter_turns(rotation)):
            array = np.ascontiguousarray(np.rot90(array, turns))
        array.setflags(write=False)
        return array


def quarter_turns(rotation: int) -> int:
    """How often to turn a picture by 90° counterclockwise, 0 to 3; what is no multiple of 90° is left as it is."""
    return rotation // 90 % 4 if rotation % 90 == 0 else 0


class VideoSource:
    """A video file decoded segment by segment.

    Segments that share a key packet share its run: reading on is then the same as decoding from the key packet again, only
    quicker. Any other segment opens the file afresh.
    """

    def __init__(self, path: str, plan: DecodePlan) -> None:
        self._path, self._plan, self._by_time = path, plan, plan.clock is FrameClock.PTS
        self._run: Run | None = None
        self._upright = Upright()
        self.losses: list[Loss] = []

    def frames(self, planned: PlannedSegment) -> Iterator[DecodedFrame]:
        """Yield the segment's frames in order; `losses` is whole when they have been read to the end."""
        self.losses = list(planned.losses)
        log = LossLog(self.losses)
        entry, index, pixels = planned.entry, planned.start, self._upright.pixels
        if entry is None:
            raise ValueError("a video's segment was planned without an entry")
        try:
            for event in self._run_at(entry).between(entry.first, entry.until):
                if index == planned.end:  # the file gives more than when it was planned: the plan stands
                    break
                if event.frame is None:
                    log.lost(index)
                else:
                    if event.doubt:
                        log.doubtful(index, event.doubt)
                    yield DecodedFrame(pixels(event.frame), index, self._time(event.key, planned, index))
                index += 1
        except KeyPacketGone as gone:
            self.close()
            for missing in range(index, planned.end):
                log.lost(missing, str(gone))
            return
        for missing in range(index, planned.end):
            log.lost(missing)

    def close(self) -> None:
        """Close the file."""
        if self._run is not None:
            self._run.close()
            self._run = None

    def _run_at(self, entry: SegmentEntry) -> Run:
        """Go on with the run at hand where it is the segment's and not past it, else open the segment's own."""
        run = self._run
        if run is not None and run.shared_with(entry) and run.passed <= entry.first:
            return run
        self.close()
        self._run = Run(self._path, self._plan, entry)
        return self._run

    def _time(self, key: int, planned: PlannedSegment, index: int) -> float | None:
        if self._by_time:
            numerator, denominator = self._plan.time_base
            return round((key - self._plan.first_pts) * numerator / denominator, 6)
        if planned.start_t_s is None or not self._plan.fps:
            return None
        return round(index / self._plan.fps, 6)
