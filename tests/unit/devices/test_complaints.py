"""What native libraries print on standard error while something is tried is heard, freed of clocks, and printed on."""

import os
import sys
from pathlib import Path

import pytest

from app.devices.complaints import overheard


def test_native_lines_are_heard_without_their_clocks_and_printed_on(capfd: pytest.CaptureFixture[str]) -> None:
    with overheard() as said:
        os.write(2, b"[ WARN:0@0.412] global net_impl.cpp:209 setUpNet switching to CPU\n\n")
        os.write(2, b"[ WARN:0@0.999] global net_impl.cpp:209 setUpNet switching to CPU\n")
        print("Python's own", file=sys.__stderr__)
        assert said == []
    assert said == ["net_impl.cpp:209 setUpNet switching to CPU", "Python's own"]
    assert capfd.readouterr().err.count("switching to CPU") == 2


def test_lines_are_heard_also_when_something_is_raised() -> None:
    said: list[str] = []

    def try_it() -> None:
        nonlocal said
        with overheard() as said:
            os.write(2, b"last words\n")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        try_it()
    assert said == ["last words"]


def test_nothing_stays_open_and_standard_error_is_what_it_was() -> None:
    before = os.fstat(2).st_ino, len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        with overheard():
            pass
    assert (os.fstat(2).st_ino, len(list(Path("/proc/self/fd").iterdir()))) == before
