"""Checks in a child process: a plugin that crashes or hangs fails the check it is in, with its frame, and no other."""

import json
from pathlib import Path

import pytest

from app.testing import CHECKS, LONG_CHECKS
from app.testing.isolated import Asked, Checked, Refused, Timed, Verdict, carry_out
from tests.unit.testing.conftest import CODE, MakeBright

PROCESS = "        rows, columns"
CRASH = (PROCESS, "        import ctypes\n        if frame.index == 5:\n            ctypes.string_at(0)\n" + PROCESS)


def checked(folder: Path, *checks: str, frame_s: float = 30.0) -> dict[str, Checked]:
    told = list(carry_out(Asked(str(folder), pictures=str(folder.parent / "failures"), checks=checks), frame_s=frame_s))
    assert [one.check for one in told if isinstance(one, Checked)] == list(checks)
    return {one.check: one for one in told if isinstance(one, Checked)}


def test_checks_are_made_in_a_child_and_told(make_bright: MakeBright) -> None:
    quick = [name for name in CHECKS if name not in LONG_CHECKS]
    verdicts = {name: one.verdict for name, one in checked(make_bright(), *quick).items()}
    assert verdicts == dict.fromkeys(quick, Verdict.OK) | {"survives-a-replay": Verdict.SKIPPED}


def test_a_crash_fails_its_check_with_the_frame_and_the_next_checks_are_made(make_bright: MakeBright) -> None:
    told = checked(make_bright(CRASH), "prepares", "gives-typed-outputs", "loads-in-prepare")
    assert [one.verdict for one in told.values()] == [Verdict.OK, Verdict.FAILED, Verdict.OK]
    lost = told["gives-typed-outputs"]
    assert (lost.bug, lost.frame) == ("the plugin killed the process (SIGSEGV) on frame 5", 5)


@pytest.mark.parametrize(
    ("ending", "bug"),
    [
        ("import os; os._exit(0)", "the plugin ended the process with exit code 0 on frame 0"),
        ("import time; time.sleep(600)", "the plugin hangs on frame 0"),
    ],
)
def test_a_plugin_that_ends_its_process_or_hangs_says_so(ending: str, bug: str, make_bright: MakeBright) -> None:
    told = checked(make_bright((PROCESS, f"        {ending}\n{PROCESS}")), "gives-typed-outputs", frame_s=3.0)
    assert told["gives-typed-outputs"].bug == bug


def test_a_golden_output_is_accepted_and_then_expected(make_bright: MakeBright) -> None:
    folder = make_bright(("0.87", "0.5"))
    golden = json.loads((folder / "expected.json").read_text())
    assert checked(folder, "gives-what-is-expected")["gives-what-is-expected"].verdict is Verdict.FAILED
    told = list(carry_out(Asked(str(folder), accept=True, checks=("gives-what-is-expected",))))
    assert [(one.check, one.verdict) for one in told if isinstance(one, Checked)] == [
        ("accept", Verdict.OK), ("gives-what-is-expected", Verdict.OK),
    ]  # fmt: skip
    accepted = json.loads((folder / "expected.json").read_text())
    assert accepted["frames"][3]["output"]["detections"][0]["confidence"] == 0.5
    assert len(accepted["frames"]) == len(golden["frames"]) == 12  # those named before
    assert accepted["tolerance"] == golden["tolerance"]
    (folder / "expected.json").unlink()
    list(carry_out(Asked(str(folder), accept=True)))
    assert [frame["frame_index"] for frame in json.loads((folder / "expected.json").read_text())["frames"]] == [
        0,
        2,
        4,
        6,
        8,
        10,
    ]


def test_nothing_is_accepted_of_a_plugin_whose_output_cannot_be_stored(make_bright: MakeBright) -> None:
    folder = make_bright(("0.87", "87"))
    before = (folder / "expected.json").read_bytes()
    (told,) = carry_out(Asked(str(folder), accept=True))
    assert isinstance(told, Checked)
    assert "nothing was accepted: confidence is 87" in told.told
    assert (folder / "expected.json").read_bytes() == before


def test_a_bench_has_a_row_for_each_target_and_says_why_one_is_missing(make_bright: MakeBright) -> None:
    folder = make_bright(toml='devices = ["cuda", "cpu"]\n', code=CODE)
    rows = [told.row for told in carry_out(Asked(str(folder), bench=20)) if isinstance(told, Timed)]
    assert [(row.target, row.frames) for row in rows] == [("cuda", 0), ("cpu", 20)]
    assert "The plugin runs no network" in rows[0].reason
    assert 0 < rows[1].p50_ms <= rows[1].p95_ms <= rows[1].p99_ms <= rows[1].max_ms
    assert (rows[1].width, rows[1].height, rows[1].budget_ms) == (64, 48, 1000)


def test_what_cannot_even_begin_says_why(make_bright: MakeBright) -> None:
    folder = make_bright()
    told = list(carry_out(Asked(str(folder), options={"size": 3}, checks=("prepares",))))
    assert isinstance(told[0], Checked)
    assert "option 'size' is 3" in told[0].told
    (folder / "plugin.toml").write_text("id = 3\n")
    assert any("plugin.toml: " in one.told for one in carry_out(Asked(str(folder), bench=3)) if isinstance(one, Refused))
