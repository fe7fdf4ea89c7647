"""Insights as lines and on the board: every type has its words, and no plugin's text reaches the terminal raw."""

import json
from typing import Any

import msgspec
import pytest
from rich.console import Console

from app.cli.board import Board
from app.cli.lines import json_line, line
from app.domain.insight import INSIGHT_EXAMPLES, Insight, Usage
from app.domain.job import JobStatus
from app.domain.load import GpuUsage


@pytest.mark.parametrize("kind", INSIGHT_EXAMPLES)
def test_every_insight_is_one_line_and_one_json_object(kind: str) -> None:
    example = INSIGHT_EXAMPLES[kind]
    words = line(example)
    assert kind in words.split()
    assert len(words.split(f" {kind} ", 1)[1]) >= 5
    text = json_line(example, 7).decode()
    assert (text.count("\n"), text[-1]) == (1, "\n")
    assert json.loads(text) == {"type": kind, "id": 7, **json.loads(msgspec.json.encode(example))}


def evil(kind: str) -> Any:
    """An example whose free text would clear the screen and forge a line."""
    name = {"warning": "message", "health": "reason", "status": "reason"}[kind]
    return msgspec.structs.replace(INSIGHT_EXAMPLES[kind], **{name: "\x1b[2J\nforged\r[bold]x[/bold]"})


@pytest.mark.parametrize("kind", ["warning", "health", "status"])
def test_text_of_others_can_neither_break_a_line_nor_command_the_terminal(kind: str) -> None:
    words = line(evil(kind))
    assert "forged" in words
    assert not set(words) & set("\x1b\n\r")
    assert "\x1b[2J" not in drawn(evil(kind))
    assert "[bold]x[/bold]" in drawn(evil(kind))  # shown as it is, not obeyed


def drawn(*insights: Insight, one_job: bool = True, connected: bool = True) -> str:
    """What the board shows after these insights."""
    board = Board(lambda job_id: f"name of {job_id[:4]}", lambda: connected, one_job=one_job)
    for insight in insights:
        board.take(insight)
    console = Console(width=140, force_terminal=True, color_system="standard")
    with console.capture() as captured:
        console.print(board)
    return captured.get()


def test_the_board_shows_the_newest_of_everything() -> None:
    shown = drawn(*INSIGHT_EXAMPLES.values())
    for words in (
        "name of 019b", "running", "42 %, 334 of 795 frames", "26.9 fps", "p95 88.0 ms", "people_hog is degraded",
        "cpu (asked for cuda)", "exception × 10", "CPU 88 %", "NVIDIA L4 41 %", "29 facts were missed",
    ):  # fmt: skip
        assert words in shown, words
    assert "no connection" not in shown
    assert "no connection" in drawn(INSIGHT_EXAMPLES["status"], connected=False)
    assert "Connecting" in drawn(connected=False)


def test_a_gpu_that_does_not_tell_its_load_or_its_memory_is_shown_without_it() -> None:
    told, silent = GpuUsage("NVIDIA A", None, 600.0, 24000.0), GpuUsage("NVIDIA B", None, None, None)
    load = msgspec.structs.replace(INSIGHT_EXAMPLES["usage"], gpus=(told, silent))
    assert line(load).endswith("; NVIDIA A load not told, 600 of 24000 MB; NVIDIA B load not told, memory not told")
    assert "NVIDIA B load not told" in drawn(INSIGHT_EXAMPLES["status"], load)


def test_a_stage_that_nothing_could_run_does_not_run() -> None:
    refused = msgspec.structs.replace(INSIGHT_EXAMPLES["device"], used=None)
    assert f"{refused.stage} does not run (asked for cuda): {refused.reason}" in line(refused)


def test_of_all_jobs_the_board_shows_those_that_run() -> None:
    status = INSIGHT_EXAMPLES["status"]
    ended = msgspec.structs.replace(status, job_id="0002", status=JobStatus.COMPLETED)
    shown = drawn(INSIGHT_EXAMPLES["progress"], status, ended, one_job=False)
    assert "name of 019b" in shown
    assert "name of 0002" not in shown
    idle = Usage(at=status.at, cpu_percent=3, memory_mb=100, workers=(), gpus=())
    assert "No job is running." in drawn(ended, idle, one_job=False)
