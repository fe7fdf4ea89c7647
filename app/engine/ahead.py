"""Decoding ahead: the next frames are decoded on a thread of their own while the stages work on this one."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter_ns
from typing import Final

from app.engine.recorder import Recorder
from app.engine.tasks import Pass
from app.media.sources import DecodedFrame

_FRAMES: Final = 2  # decoded and waiting at most; more would only cost memory
_WORTH_US: Final = 500  # where a frame's decoding, or its stages, take less, handing frames over costs what is gained


class Ahead(Iterator[DecodedFrame]):
    """Gives the frames of an iterator that runs on a thread; what it raises is raised here, in its turn."""

    def __init__(self, frames: Iterator[DecodedFrame], recorder: Recorder, part: Pass) -> None:
        self.took_us = 0  # how long the frame given last was decoded, whatever was done meanwhile
        self._frames, self._recorder, self._part, self._index = frames, recorder, part, part.start
        self._thread = ThreadPoolExecutor(1, "decode ahead")
        self._coming = deque(self._thread.submit(self._decode) for _ in range(_FRAMES))

    def __next__(self) -> DecodedFrame:
        """Give the next frame as soon as it is there."""
        decoded, self.took_us = self._coming.popleft().result()
        self._coming.append(self._thread.submit(self._decode))
        if decoded is None:
            raise StopIteration
        return decoded

    def close(self) -> None:
        """End the thread; what it decodes now is the last."""
        self._thread.shutdown(cancel_futures=True)

    def _decode(self) -> tuple[DecodedFrame | None, int]:
        self._recorder.note_ahead(self._index)
        begun = perf_counter_ns()
        decoded = next(self._frames, None)
        if decoded is not None:
            self._index = self._part.offset + decoded.index + 1
        return decoded, (perf_counter_ns() - begun) // 1000


def pays(decode_us: int, stages_us: int, frames: int) -> bool:
    """Say whether frames like these, which took so long altogether, are worth decoding ahead."""
    return min(decode_us, stages_us) >= _WORTH_US * max(1, frames)


def crashed_decoding_ahead(last_words: str) -> bool:
    """Read in what faulthandler wrote whether a worker crashed on the thread that decodes ahead: it has its stack alone."""
    _, fatal, stack = last_words.rpartition("Fatal Python error")
    return bool(fatal) and f'{Path(__file__).name}"' in stack
