"""Sends a picture of a job's frames a few times a second, and only while somebody watches."""

from collections.abc import Callable, Mapping
from time import perf_counter_ns

import msgspec

from app.domain.frame import Frame
from app.domain.output import Output
from app.engine.messages import Picture, Report, Watch
from app.engine.recorder import PREVIEW, Recorder
from app.media.preview import encode_preview


class Previewer:
    """Decides which frames are pictured, and makes the pictures."""

    def __init__(self, recorder: Recorder, tell: Callable[[Report, bool], None]) -> None:
        self._recorder, self._tell = recorder, tell
        self._watches: dict[str, Watch] = {}
        self._pictured_at = 0
        self._encode = msgspec.json.Encoder().encode

    def watch(self, order: Watch) -> None:
        """Begin or end picturing a job."""
        if order.interval_s > 0:
            self._watches[order.job_id] = order
        else:
            self._watches.pop(order.job_id, None)

    def show(self, task_id: int, job_id: str, frame: Frame, outputs: Mapping[str, Output], ready_ns: int) -> int | None:
        """Picture a frame where its turn has come; gives the microseconds spent, or None. `ready_ns`: when it was decoded."""
        watch = self._watches.get(job_id)
        if watch is None:
            return None
        begun = perf_counter_ns()
        if begun - self._pictured_at < watch.interval_s * 1e9:
            return None
        self._pictured_at = begun
        self._recorder.note(frame.index, PREVIEW)
        jpeg, _ = encode_preview(frame.pixels, width=watch.width)
        found = self._encode(outputs)
        width, height = frame.size
        self._tell(Picture(task_id, job_id, frame.index, frame.t_s, width, height, jpeg, found, ready_ns), True)
        return (perf_counter_ns() - begun) // 1000
