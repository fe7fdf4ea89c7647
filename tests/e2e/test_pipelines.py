"""Pipelines as graphs, through the door: what is refused before it starts, what is skipped and why, and what `when` saves."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import ROOT, wait_until, write_clip

TEST_PLUGINS = Path(__file__).parents[1] / "plugins"
ENDED = {"completed", "completed_with_warnings", "failed", "cancelled"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred and twenty frames."""
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=120)


def submit(api: httpx.Client, clip: Path, *stages: dict[str, Any]) -> httpx.Response:
    """Submit a clip with a pipeline."""
    with clip.open("rb") as file:
        return api.post("/v1/jobs", files={"file": (clip.name, file)}, data={"pipeline": json.dumps({"stages": stages})})


def end_of(api: httpx.Client, answer: httpx.Response) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Wait for the end of a submitted job; give it and its rows."""
    assert answer.status_code == 201, answer.text
    address = answer.headers["location"]
    wait_until(lambda: api.get(address).json()["status"] in ENDED, "the job to end")
    job: dict[str, Any] = api.get(address).json()
    return job, [json.loads(line) for line in api.get(f"{address}/frames").text.splitlines()]


def row_of(job: dict[str, Any], stage: str) -> dict[str, Any]:
    return next(row for row in job["breakdown"] if row["stage"] == stage)


def test_what_does_not_fit_is_refused_before_it_starts_with_a_sentence_for_each_problem(api: httpx.Client, clip: Path) -> None:
    answer = submit(
        api, clip,
        {"id": "a", "plugin": "brightness", "needs": ["b"]},
        {"id": "b", "plugin": "brightness", "needs": ["a"]},
        {"id": "c", "plugin": "brightness", "needs": ["nobody"]},
        {"id": "d", "plugin": "brightness", "when": {"stage": "a", "label": "person"}},
    )  # fmt: skip
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["problems"] == [
        "stage 'c' needs 'nobody', which is no stage of this pipeline (a, b, c, d)",
        "the stages a → b → a need each other in a circle",
        "stage 'd' runs when 'a' finds 'person', but measurements have no labels",
    ]
    assert all(problem in answer.json()["detail"] for problem in answer.json()["problems"])
    assert api.get("/v1/jobs").json()["items"] == []


def test_stages_run_behind_what_they_need_in_whatever_order_they_were_given(api: httpx.Client, clip: Path) -> None:
    job, rows = end_of(api, submit(api, clip, {"id": "late", "plugin": "brightness", "needs": ["early"], "every": 3},
                                   {"id": "early", "plugin": "brightness", "every": 2}))  # fmt: skip
    assert [stage["id"] for stage in job["pipeline"]["stages"]] == ["early", "late"]
    assert [row["frame_index"] for row in rows if "late" in row["outputs"]] == list(range(0, 120, 6))
    assert (job["status"], row_of(job, "early")["frames"], row_of(job, "late")["frames"]) == ("completed", 60, 20)


def test_a_failed_stage_skips_what_needs_it_on_that_frame_and_says_so(api: httpx.Client, clip: Path) -> None:
    job, rows = end_of(
        api,
        submit(
            api, clip,
            {"id": "bad", "plugin": "faulty", "options": {"what": "raise", "every": 10}},
            {"id": "next", "plugin": "brightness", "needs": ["bad"]},
            {"id": "last", "plugin": "brightness", "when": {"stage": "next"}},
            {"id": "free", "plugin": "brightness"},
        ),
    )  # fmt: skip
    wrong = {row["frame_index"]: row for row in rows if row["errors"]}
    assert sorted(wrong) == list(range(0, 120, 10))
    for row in wrong.values():
        assert list(row["outputs"]) == ["free"]
        assert [(error["stage"], error["code"]) for error in row["errors"]] == [
            ("bad", "exception"), ("next", "skipped"), ("last", "skipped"),
        ]  # fmt: skip
        assert row["errors"][1]["message"] == "It needs 'bad', which failed."
        assert row["errors"][2]["message"] == "It needs 'next', which was skipped."
    told = {(warning["code"], warning["stage"]): warning["count"] for warning in job["warnings"]}
    assert told == {("exception", "bad"): 12, ("skipped", "next"): 12, ("skipped", "last"): 12}
    skipped = row_of(job, "next")
    assert (skipped["frames"], skipped["soft_failures"], skipped["health"]) == (108, 0, "ok")


@pytest.mark.parametrize("where", ["process_frame", "prepare"])
def test_what_needs_a_disabled_stage_is_disabled_with_it(api: httpx.Client, clip: Path, where: str) -> None:
    wrong = {"id": "bad", "plugin": "faulty", "options": {"what": "raise", "where": where, "every": 1}}
    needy = {"id": "next", "plugin": "brightness", "needs": ["bad"]}
    job, _ = end_of(api, submit(api, clip, wrong, needy, {"id": "free", "plugin": "brightness"}))
    assert (job["status"], row_of(job, "free")["frames"]) == ("completed_with_warnings", 120)
    out = row_of(job, "next")
    assert (out["frames"], out["health"]) == (0, "failing")
    assert out["health_reason"] == "Disabled, for it needs 'bad', which is disabled."
    assert ("stage_disabled", "next", 1) in [(w["code"], w["stage"], w["count"]) for w in job["warnings"]]
    alone, _ = end_of(api, submit(api, clip, wrong, needy))
    assert alone["status"] == "failed"
    assert "No stage is left" in alone["error"]


def test_a_stage_runs_only_where_another_found_what_it_waits_for_and_the_breakdown_shows_the_saving(api: httpx.Client) -> None:
    condition = {"stage": "shapes_dnn", "label": "yellow square", "min_confidence": 0.8}
    job, rows = end_of(
        api,
        submit(api, ROOT / "samples" / "shapes.mp4", {"plugin": "shapes_dnn"}, {"plugin": "brightness", "when": condition}),
    )
    found = [
        row["frame_index"]
        for row in rows
        if any(d["label"] == "yellow square" and d["confidence"] >= 0.8 for d in row["outputs"]["shapes_dnn"]["detections"])
    ]
    assert [row["frame_index"] for row in rows if "brightness" in row["outputs"]] == found
    assert 0 < len(found) < len(rows) == row_of(job, "shapes_dnn")["frames"]
    assert row_of(job, "brightness")["frames"] == len(found)
    assert all(row["errors"] == [] for row in rows)


def test_a_saved_pipeline_is_run_by_its_name_from_the_command_line(
    sightline: Callable[..., Any], clip: Path, tmp_path: Path
) -> None:
    file = tmp_path / "chain.json"
    stages = [
        {"id": "late", "plugin": "motion_mog2", "when": {"stage": "early"}},
        {"id": "early", "plugin": "people_hog", "every": 30},
    ]
    file.write_text(json.dumps({"stages": stages}))
    assert sightline("pipelines", "save", "chain", file).stdout == "chain is saved: early → late\n"
    assert sightline("pipelines").stdout == "chain: early → late\n"
    (listed,) = json.loads(sightline("pipelines", "list", "--json").stdout)["items"]
    assert json.loads(sightline("pipelines", "show", "chain").stdout) == listed["pipeline"]
    for pipeline in ("chain", file):
        done = sightline("run", clip, "--pipeline", pipeline, "--set", "early.max_width=160", "--json")
        job = json.loads(done.stdout)
        assert [stage["id"] for stage in job["pipeline"]["stages"]] == ["early", "late"]
        assert (row_of(job, "early")["frames"], row_of(job, "late")["frames"]) == (4, 0)
    assert sightline("pipelines", "delete", "chain").returncode == 0
    refused = sightline("run", clip, "--pipeline", "chain")
    assert (refused.returncode, refused.stderr) == (
        2,
        "sightline: There is no saved pipeline 'chain'; the known ones are none.\n",
    )
    gone = sightline("run", clip, "--pipeline", tmp_path / "gone.json")
    assert (gone.returncode, "cannot be read (No such file" in gone.stderr) == (2, True)
