"""Sends a picture of a job's frames a few times a second, and only while somebody watches."""

from collections.abc import Callable, Mapping
from time import perf_counter_ns

import msgspec

from app.domain.frame import Frame
from app.domain.output import Output
from app.domain.timing import Histogram
from app.engine.messages import Picture, Report, Watch
from app.engine.recorder import PREVIEW, Recorder
from app.engine.tasks import SegmentTask
from app.media.preview import encode_preview


class Previewer:
    """Decides which frames are pictured, and makes the pictures."""

    def __init__(self, recorder: Recorder, tell: Callable[[Report, bool], None]) -> None:
        self._recorder, self._tell = recorder, tell
        self.watches: dict[str, Watch] = {}  # by job; empty while nobody looks
        self._due_ns: dict[str, int] = {}
        self._encode = msgspec.json.Encoder().encode

    def watch(self, order: Watch) -> None:
        """Begin or end picturing a job."""
        if order.interval_s > 0:
            self.watches[order.job_id] = order
            self._due_ns[order.job_id] = order.begin_ns
        else:
            self.watches.pop(order.job_id, None)
            self._due_ns.pop(order.job_id, None)

    def show(self, task: SegmentTask, frame: Frame, outputs: Mapping[str, Output], ready_ns: int, timing: Histogram) -> None:
        """Picture a frame where its turn has come, and add the time it took. `ready_ns`: when the frame was decoded."""
        watch = self.watches.get(task.job_id)
        if watch is None:
            return
        begun = perf_counter_ns()
        if begun < self._due_ns[task.job_id]:
            return
        self._due_ns[task.job_id] = begun + round(watch.interval_s * 1e9)
        self._recorder.note(frame.index, PREVIEW)
        jpeg, _ = encode_preview(frame.pixels, width=watch.width)
        found, (width, height) = self._encode(outputs), frame.size
        self._tell(Picture(task.task_id, task.job_id, frame.index, frame.t_s, width, height, jpeg, found, ready_ns), True)
        timing.add((perf_counter_ns() - begun) // 1000)
