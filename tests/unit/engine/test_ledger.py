"""The ledger: what a reader sees of it at any moment, and what a worker's segment is worth when it is read out."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.engine.ledger import Ledger
from app.engine.rows import Row, RowFile, part_of

WRITER = """
import os, sys
from app.engine.ledger import Ledger
ledger = Ledger.open(int(sys.argv[1]))
ledger.turn(b"first")
print("begun", flush=True)
number = turns = 0
while True:
    ledger.took(1, number)
    line = b"%d " % number + b"x" * (number % 900) + b"\\n"
    if not ledger.add(line):
        turns += 1
        ledger.turn(b"turn %d at %d" % (turns, number))
        ledger.took(1, number)
        assert ledger.add(line)
    number += 1
"""


def test_whatever_moment_the_writer_is_killed_at_the_reader_sees_whole_rows_with_their_timings() -> None:
    for attempt in range(12):
        ledger, descriptor = Ledger.create()
        command = [sys.executable, "-c", WRITER, str(descriptor)]
        with subprocess.Popen(command, pass_fds=(descriptor,), stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            for _ in range(attempt * 2000):
                pass
            os.kill(writer.pid, signal.SIGKILL)
        os.close(descriptor)
        entries = ledger.read()
        numbers = [int(line.split()[0]) for line in entries.rows.splitlines()]
        first = int(entries.stock.split()[-1]) if entries.stock != b"first" else 0
        assert numbers == list(range(first, first + len(numbers)))
        assert entries.rows == b"" or entries.rows.endswith(b"\n")
        assert [took for _, took in entries.took] == numbers
        ledger.close()


def test_rows_that_are_too_long_for_a_page_reach_the_file_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "rows.ndjson"
    taken: list[int] = []

    def take_stock(written: int, brief: bool) -> bytes:
        taken.append(written)
        return b"brief" if brief else b"x" * 100_000

    ledger = Ledger.private()
    rows = RowFile(str(path), ledger, take_stock)
    long = [{"stage": "s", "code": "exception", "message": "m" * 200_000}]
    for index in range(3):
        rows.add(Row(index, None, {}, []))
        rows.add(Row(index + 10, None, {}, long))  # type: ignore[arg-type]  # written as it is read
    assert ledger.read().stock == b"brief"
    assert part_of(str(path)).stat().st_size == taken[-1]
    rows.place()
    assert [json.loads(line)["frame_index"] for line in path.read_text().splitlines()] == [0, 10, 1, 11, 2, 12]


def test_rows_of_which_the_ledger_holds_all_lie_in_their_place_at_once_and_nothing_is_left_of_what_is_discarded(
    tmp_path: Path,
) -> None:
    path = tmp_path / "rows.ndjson"
    rows = RowFile(str(path), Ledger.private())
    rows.add(Row(0, None, {}, []))
    assert list(tmp_path.iterdir()) == []
    rows.place()
    assert [json.loads(line)["frame_index"] for line in path.read_text().splitlines()] == [0]
    rows.discard()
    later = RowFile(str(path), Ledger.private())
    later.add(Row(0, None, {}, []))
    later.save()
    assert list(tmp_path.iterdir()) == [part_of(str(path))]
    later.add(Row(1, None, {}, []))
    later.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_worker_goes_on_behind_the_rows_that_a_lost_one_left(tmp_path: Path) -> None:
    path = tmp_path / "rows.ndjson"
    whole = b'{"frame_index":0,"t_s":null,"outputs":{},"errors":[]}\n'
    part_of(str(path)).write_bytes(whole + b'{"frame_index":1')
    rows = RowFile(str(path), Ledger.private(), kept=len(whole))
    rows.add(Row(1, None, {}, []))
    rows.place()
    assert [json.loads(line)["frame_index"] for line in path.read_text().splitlines()] == [0, 1]
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_rows_of_others_as_they_were_in_a_file_that_is_shared(tmp_path: Path) -> None:
    path, shared = tmp_path / "rows.ndjson", tmp_path / "shared.ndjson"
    shared.write_bytes(b"x" * 100)
    rows = RowFile(str(path), Ledger.private(), shared=str(shared))
    for index in range(20):
        rows.add(Row(index, None, {}, []))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            rows.place()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    rows.discard()
    assert shared.read_bytes() == b"x" * 100
    assert list(tmp_path.iterdir()) == [shared]


def test_rows_that_had_to_be_written_before_the_end_have_a_file_of_their_own(tmp_path: Path) -> None:
    path, shared = tmp_path / "rows.ndjson", tmp_path / "shared.ndjson"
    places = []
    for early in (False, True, False):
        rows = RowFile(str(path), Ledger.private(), shared=str(shared))
        rows.add(Row(0, None, {}, []))
        if early:
            rows.save()
        rows.add(Row(1, None, {}, []))
        places.append(rows.place())
    size = path.stat().st_size
    assert places == [("shared.ndjson", 0, size), ("rows.ndjson", 0, None), ("shared.ndjson", size, size)]
    assert shared.read_bytes() == 2 * path.read_bytes()
