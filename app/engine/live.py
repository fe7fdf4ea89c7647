"""Reads a segment of an address in a worker: waits for frames without hanging, and tells what happens to the connection."""

from collections.abc import Callable, Iterator

import msgspec

from app.domain.media import StreamEntry
from app.engine.messages import Noticed, Opened, Reach, Report
from app.engine.recorder import DECODE, WAIT, Recorder
from app.engine.stages import StageFailed
from app.engine.tasks import SegmentTask
from app.media.preview import encode_preview
from app.media.sources import DecodedFrame, Source
from app.media.sources.stream import StreamFailed, StreamSource

_PICTURE_WIDTH = 192  # that of the small pictures in lists of jobs


def stream_for(task: SegmentTask, held: Source | StreamSource | None) -> StreamSource:
    """Give the connection at hand where it stands before the task's first frame, else begin one there."""
    if isinstance(held, StreamSource) and held.next_index == task.first and not held.over:
        return held
    if held is not None:
        held.close()
    assert task.rules is not None  # noqa: S101  # only what is an address comes here
    entry = task.part.planned.stream or StreamEntry()
    # Frames that a lost worker had finished were passed too.
    entry = msgspec.structs.replace(entry, passed=entry.passed + task.first - task.part.start)
    return StreamSource(task.source, task.rules, entry)


class LiveFrames:
    """The frames of one segment of an address, as they come."""

    def __init__(
        self, source: StreamSource, task: SegmentTask, recorder: Recorder, tell: Callable[[Report, bool], None]
    ) -> None:
        self._source, self._task, self._recorder, self._tell = source, task, recorder, tell
        self._index = task.first

    def read(self, look_up: Callable[[int], None], hurried: Callable[[int], bool]) -> Iterator[DecodedFrame]:
        """Yield the frames; `look_up` is called while none comes, `hurried` says that the segment is to end now.

        Raises StageFailed with the code `stream` where nothing came from the address, and nothing will.
        """
        task, source, new = self._task, self._source, self._source.next_index is None

        def idle() -> None:
            # Waiting is not hanging, but a decoder that came back from nothing for so long is.
            self._recorder.note(self._index, DECODE if source.stuck else WAIT)
            self._pass_on()
            look_up(task.task_id)

        try:
            for decoded in source.frames(task.part.planned, task.first, idle, lambda: hurried(task.task_id)):
                self._index = decoded.index
                self._pass_on()
                if new and source.media is not None:
                    new = False
                    jpeg, _ = encode_preview(decoded.pixels, width=_PICTURE_WIDTH)
                    self._tell(Opened(task.task_id, source.media, jpeg), False)
                self._index = decoded.index + 1
                yield decoded
        except StreamFailed as failure:
            raise StageFailed("stream", None, str(failure), None) from None
        self._pass_on()

    def _pass_on(self) -> None:
        while self._source.notices:
            notice = self._source.notices.popleft()
            self._tell(Noticed(self._task.task_id, notice.code, notice.message, self._index), False)


def reach_of(source: Source | StreamSource, task: SegmentTask) -> Reach | None:
    """Say how far a segment of an address came; None where it is no address."""
    if not isinstance(source, StreamSource):
        return None
    return Reach(task.first if source.next_index is None else source.next_index, source.over, source.reach)
