"""Decoding ahead: the same frames in the same order, errors in their turn, and a crash that is told where it was."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from app.domain.media import PlannedSegment
from app.engine.ahead import Ahead, crashed_decoding_ahead, pays
from app.engine.recorder import DECODE, Recorder
from app.engine.tasks import Pass
from app.media.sources import DecodedFrame
from tests.conftest import wait_until

PART = Pass(PlannedSegment(0, 8), 100)
PIXELS = np.zeros((2, 2, 3), np.uint8)
CHILD = """
import ctypes, faulthandler, sys, time
import numpy as np
from app.domain.media import PlannedSegment
from app.engine.ahead import Ahead
from app.engine.recorder import FIRST_STAGE, Recorder
from app.engine.tasks import Pass
from app.media.sources import DecodedFrame
recorder_fd, fault_fd, where = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
faulthandler.enable(fault_fd, all_threads=False)
recorder = Recorder.open(recorder_fd)
def frames():
    for index in range(8):
        if where == "decoder" and index == 5:
            ctypes.string_at(0)
        yield DecodedFrame(np.zeros((2, 2, 3), np.uint8), index, None)
recorder.begin(7)
for decoded in Ahead(frames(), recorder, Pass(PlannedSegment(0, 8), 100)):
    recorder.note(100 + decoded.index, FIRST_STAGE)
    if where == "stage" and decoded.index == 3:
        ctypes.string_at(0)
    time.sleep(0.02)
"""


def frames(busy_s: float = 0.0, error: Exception | None = None) -> Iterator[DecodedFrame]:
    for index in range(8):
        time.sleep(busy_s)
        if error is not None and index == 5:
            raise error
        yield DecodedFrame(PIXELS, index, index / 10)


def ahead_of(source: Iterator[DecodedFrame], recorder: Recorder | None = None) -> Ahead:
    return Ahead(source, recorder or Recorder.private(), PART)


def test_frames_come_in_their_order_and_each_says_how_long_it_was_decoded() -> None:
    ahead, took = ahead_of(frames(0.01)), []
    for index, decoded in enumerate(ahead):
        assert (decoded.index, decoded.t_s) == (index, index / 10)
        took.append(ahead.took_us)
        time.sleep(0.01)
    assert index == 7
    assert all(us >= 10_000 for us in took)
    ahead.close()


def test_an_error_comes_in_its_turn_and_then_nothing() -> None:
    ahead, seen = ahead_of(frames(error=OSError("gone"))), []
    with pytest.raises(OSError, match="gone"):
        seen += [decoded.index for decoded in ahead]
    ahead.close()
    ahead, seen = ahead_of(frames(error=OSError("gone"))), []
    for _ in range(5):
        seen.append(next(ahead).index)
    assert seen == [0, 1, 2, 3, 4]
    ahead.close()


def test_no_more_than_two_frames_are_decoded_ahead_and_no_thread_is_left_behind() -> None:
    recorder = Recorder.private()
    before = threading.active_count()
    ahead = ahead_of(frames(), recorder)
    assert next(ahead).index == 0
    wait_until(lambda: recorder.read(ahead=True).frame == 102, "two frames to be decoded while one is worked on")
    time.sleep(0.1)
    assert recorder.read(ahead=True).frame == 102
    ahead.close()
    assert threading.active_count() == before


@pytest.mark.parametrize(("where", "told", "frame"), [("decoder", True, 105), ("stage", False, 103)])
def test_a_crash_is_told_to_be_the_decoder_s_or_the_stage_s_with_its_frame(where: str, told: bool, frame: int) -> None:
    recorder, descriptor = Recorder.create()
    with tempfile.TemporaryFile() as words:
        command = [sys.executable, "-c", CHILD, str(descriptor), str(words.fileno()), where]
        done = subprocess.run(command, pass_fds=(descriptor, words.fileno()), capture_output=True)
        words.seek(0)
        said = words.read().decode()
    os.close(descriptor)
    assert done.returncode == -signal.SIGSEGV, done.stderr
    assert crashed_decoding_ahead(said) is told
    position = recorder.read(ahead=told)
    assert (position.frame, position.task_id) == (frame, 7)
    assert (position.place == DECODE) is told
    recorder.close()


def test_it_pays_where_both_take_long_enough() -> None:
    assert pays(600 * 64, 500 * 64, 64)
    assert not pays(50 * 64, 5000 * 64, 64)
    assert not pays(5000 * 64, 50 * 64, 64)
    assert not pays(0, 0, 0)
