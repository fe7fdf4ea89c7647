"""One suite for every executor: the pool of processes and its twin in this process."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.domain.job import RowsPlace
from app.domain.media import SourceKind, SourcePlan, SourceRef
from app.domain.pipeline import Stage
from app.engine.executor import Executor
from app.engine.inline import InlineExecutor
from app.engine.messages import (
    Beat,
    Drop,
    Dropped,
    FinalizeDone,
    Followed,
    Forget,
    Picture,
    Prepared,
    Report,
    SegmentDone,
    TaskFailed,
    Watch,
)
from app.engine.pool import Pool
from app.engine.tasks import FinalizeTask, FollowTask, Pass, SegmentTask, StageTask
from app.media.lines import lines_at
from app.media.probe import probe
from tests.conftest import write_clip

PLUGINS = Path(__file__).parents[1] / "plugins"


def _pool(changed: Callable[[], None]) -> Executor:
    return Pool(1, printed=lambda _job, _text: None, changed=changed)


def _inline(changed: Callable[[], None]) -> Executor:
    changed()
    return InlineExecutor()


@pytest.fixture(params=[_pool, _inline], ids=["pool", "inline"])
def make(request: pytest.FixtureRequest) -> Callable[[Callable[[], None]], Executor]:
    """Make an executor of either kind."""
    return request.param


@asynccontextmanager
async def opened(make: Callable[[Callable[[], None]], Executor]) -> AsyncIterator[Executor]:
    """Start an executor, wait until a worker takes tasks, and close it at the end."""
    changed = asyncio.Event()
    executor = make(changed.set)
    await executor.start()
    try:
        while not executor.load():
            await asyncio.wait_for(changed.wait(), 30)
            changed.clear()
        yield executor
    finally:
        await executor.close()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> SourceRef:
    path = write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=120)
    return SourceRef(SourceKind.VIDEO, path.name, str(path))


@pytest.fixture(scope="module")
def plan(source: SourceRef) -> SourcePlan:
    return asyncio.run(probe(source))


def stage(plugin: str, *, stateful: bool = False, **options: Any) -> StageTask:
    return StageTask(
        stage=Stage(plugin, plugin, {"ms": 0, **options}), version="0.1.0", folder=str(PLUGINS / plugin),
        entry=f"plugin:{plugin.capitalize()}", output="measurements", device="auto", strict_device=False, budget_ms=50,
        stateful=stateful,
    )  # fmt: skip


def faulty(what: str, **options: Any) -> StageTask:
    return stage(
        "faulty", **{"what": what, "where": "process_frame", "every": 10, "frames": [], "once": "", "journal": "", **options}
    )


def segment(source: SourceRef, plan: SourcePlan, out: Path, *stages: StageTask, number: int = 0, **more: Any) -> SegmentTask:
    return SegmentTask(
        task_id=number + 1, job_id="job", segment_index=number, term=1, part=Pass(plan.segments[number], 0),
        source=source, plan=plan, stages=stages, outputs_path=str(out / f"{number}.ndjson"),
        serial=any(s.stateful for s in stages), threads=1, **more,
    )  # fmt: skip


def rows_in(out: Path, number: int = 0) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / f"{number}.ndjson").read_text().splitlines()]


def run(make: Any, *tasks: Any, orders: tuple[Any, ...] = ()) -> tuple[list[Any], list[Report]]:
    """Carry out tasks one after the other; give their outcomes, and what was told on the way."""
    told: list[Report] = []

    async def go() -> list[Any]:
        async with opened(make) as executor:
            for order in orders:
                executor.order(1, order)
            return [await executor.execute(1, task, lambda _worker, report: told.append(report)) for task in tasks]

    return asyncio.run(go()), told


def test_a_segments_rows_stand_in_its_file_when_it_is_done(
    make: Any, source: SourceRef, plan: SourcePlan, tmp_path: Path
) -> None:
    (done,), told = run(make, segment(source, plan, tmp_path, stage("brightness")))
    first = plan.segments[0]
    assert isinstance(done, SegmentDone)
    assert done.frames == first.end - first.start
    assert [row["frame_index"] for row in rows_in(tmp_path)] == list(range(first.start, first.end))
    assert [report.stage for report in told if isinstance(report, Prepared)] == ["brightness"]
    tallies = {tally.row: tally for tally in done.tallies}
    assert tallies["brightness"].frames == tallies["write"].count - 1 == done.frames
    assert not list(tmp_path.glob("*.part"))
    explained = sum(tally.total_us for tally in done.tallies)
    assert explained <= done.loop_us


def test_a_plugin_stays_prepared_from_segment_to_segment_until_it_is_forgotten(
    make: Any, source: SourceRef, plan: SourcePlan, tmp_path: Path
) -> None:
    first, second = (segment(source, plan, tmp_path, stage("brightness"), number=number) for number in (0, 1))
    _, told = run(make, first, second)
    assert sum(isinstance(report, Prepared) for report in told) == 1
    told = []

    async def go() -> None:
        async with opened(make) as executor:
            await executor.execute(1, first, lambda _worker, report: told.append(report))
            executor.order(1, Forget("job"))
            await executor.execute(1, second, lambda _worker, report: told.append(report))

    asyncio.run(go())
    assert sum(isinstance(report, Prepared) for report in told) == 2


def test_soft_failures_are_counted_with_the_first_traceback(
    make: Any, source: SourceRef, plan: SourcePlan, tmp_path: Path
) -> None:
    (done,), _ = run(make, segment(source, plan, tmp_path, faulty("raise"), stage("brightness")))
    (failure,) = done.failures
    wrong = [row["frame_index"] for row in rows_in(tmp_path) if row["errors"]]
    assert wrong == [frame for frame in range(done.frames) if frame % 10 == 0]
    assert (failure.code, failure.count, failure.first_frame_index) == ("exception", len(wrong), 0)
    assert "went wrong on purpose at frame 0" in failure.detail
    assert all("brightness" in row["outputs"] for row in rows_in(tmp_path))


def test_a_stateful_stage_without_its_state_is_refused_and_replayed_when_told_how(
    make: Any, source: SourceRef, plan: SourcePlan, tmp_path: Path
) -> None:
    total = stage("accumulate", stateful=True)
    straight = [segment(source, plan, tmp_path, total, number=number) for number in range(2)]
    run(make, *straight)
    expected = rows_in(tmp_path, 1)
    (refused,), _ = run(make, straight[1])
    assert isinstance(refused, TaskFailed)
    assert refused.code == "state"
    (tmp_path / "1.ndjson").unlink()
    (done,), _ = run(make, segment(source, plan, tmp_path, total, number=1, replay=(Pass(plan.segments[0], 0),)))
    assert isinstance(done, SegmentDone)
    assert rows_in(tmp_path, 1) == expected


def test_a_dropped_task_leaves_nothing_behind(make: Any, source: SourceRef, plan: SourcePlan, tmp_path: Path) -> None:
    def note(report: Any, begun: asyncio.Event) -> None:
        if isinstance(report, Beat):
            begun.set()

    async def go() -> Any:
        async with opened(make) as executor:
            task = segment(source, plan, tmp_path, stage("brightness", ms=50))
            begun = asyncio.Event()
            running = asyncio.create_task(executor.execute(1, task, lambda _worker, report: note(report, begun)))
            await begun.wait()
            executor.order(1, Drop(task.task_id))
            return await running

    assert isinstance(asyncio.run(go()), Dropped)
    assert list(tmp_path.iterdir()) == []


def test_frames_decoded_ahead_give_the_same_rows_and_their_decoding_is_told(make: Any, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "large.mp4", frames=24, size=(1920, 1080))
    source = SourceRef(SourceKind.VIDEO, clip.name, str(clip))
    task = segment(source, asyncio.run(probe(source)), tmp_path, stage("brightness", ms=3), ahead=True)
    again = msgspec.structs.replace(task, task_id=2, outputs_path=str(tmp_path / "1.ndjson"))
    outcomes, _ = run(make, task, again)  # the first shows that it pays, the second is decoded ahead
    for outcome in outcomes:
        (decode,) = (tally for tally in outcome.tallies if tally.row == "decode")
        assert decode.frames == 24
        assert decode.total_us >= 500 * 24  # or this says nothing: nothing would have been decoded ahead
    assert [row["frame_index"] for row in rows_in(tmp_path)] == list(range(24))
    assert rows_in(tmp_path) == rows_in(tmp_path, 1)


def test_waiting_for_a_frame_s_time_to_come_is_not_told_as_decoding(
    make: Any, source: SourceRef, plan: SourcePlan, tmp_path: Path
) -> None:
    (done,), _ = run(make, segment(source, plan, tmp_path, stage("brightness"), due_at=time.time() + 2))
    (decode,) = (tally for tally in done.tallies if tally.row == "decode")
    assert done.loop_us > 2_000_000 > 2 * decode.total_us


def test_pictures_come_only_while_somebody_watches(make: Any, source: SourceRef, plan: SourcePlan, tmp_path: Path) -> None:
    slow = segment(source, plan, tmp_path, stage("brightness", ms=5))
    _, told = run(make, slow)
    assert not any(isinstance(report, Picture) for report in told)
    (done,), told = run(make, slow, orders=(Watch("job", 0.05),))
    pictures = [report for report in told if isinstance(report, Picture)]
    rows = {row["frame_index"]: row["outputs"] for row in rows_in(tmp_path)}
    assert len(pictures) >= 2
    assert all(json.loads(picture.outputs) == rows[picture.frame_index] for picture in pictures)
    assert all(picture.jpeg.startswith(b"\xff\xd8") for picture in pictures)
    assert {tally.row for tally in done.tallies} >= {"preview", "decode", "write"}


def test_a_stage_that_cannot_be_prepared_and_a_source_that_is_gone_are_told_apart(
    make: Any, source: SourceRef, plan: SourcePlan, tmp_path: Path
) -> None:
    (broken,), _ = run(make, segment(source, plan, tmp_path, faulty("raise", where="prepare")))
    assert (broken.code, broken.stage) == ("prepare", "faulty")
    assert "went wrong on purpose at prepare" in broken.message
    gone = SourceRef(SourceKind.VIDEO, "gone.mp4", str(tmp_path / "gone.mp4"))
    (unread,), _ = run(make, segment(gone, plan, tmp_path, stage("brightness")))
    assert (unread.code, unread.stage) == ("source", None)


def test_a_stage_is_summed_up_over_the_files_it_is_given(
    make: Any, source: SourceRef, plan: SourcePlan, tmp_path: Path
) -> None:
    rows = tuple(RowsPlace(f"{number}.ndjson") for number in (0, 1))
    tasks = [segment(source, plan, tmp_path, stage("brightness"), number=number) for number in (0, 1)]
    finalize = FinalizeTask(9, "job", stage("brightness"), str(tmp_path), rows, 1)
    failing = FinalizeTask(10, "job", faulty("raise", where="finalize"), str(tmp_path), rows, 1)
    (_, _, done, failed), _ = run(make, *tasks, finalize, failing)
    assert isinstance(done, FinalizeDone)
    assert json.loads(done.summary) == {"frames": plan.segments[1].end}
    assert failed.summary is None
    assert "went wrong on purpose at finalize" in failed.error


def test_segments_of_a_stretch_write_their_rows_into_one_file_one_behind_the_other(
    make: Any, source: SourceRef, plan: SourcePlan, tmp_path: Path
) -> None:
    alone = [segment(source, plan, tmp_path, stage("brightness"), number=number) for number in (0, 1)]
    shared = [msgspec.structs.replace(task, shared_path=str(tmp_path / "both.ndjson")) for task in alone]
    outcomes, _ = run(make, *alone, *shared, shared[0])
    places = [done.rows for done in outcomes[2:]]
    files = [(tmp_path / f"{number}.ndjson").read_bytes() for number in (0, 1)]
    assert (tmp_path / "both.ndjson").read_bytes() == b"".join((*files, files[0]))  # what is done again stands behind it
    assert [b"".join(lines_at(tmp_path, place)) for place in places] == [*files, files[0]]
    (summed,), _ = run(make, FinalizeTask(9, "job", stage("brightness"), str(tmp_path), tuple(places[:2]), 1))
    assert json.loads(summed.summary) == {"frames": plan.segments[1].end}


def test_followers_go_over_stored_rows_with_their_state_and_replay_them_when_it_is_lost(
    make: Any, source: SourceRef, plan: SourcePlan, tmp_path: Path
) -> None:
    leader = stage("brightness")
    behind = stage("follower", stateful=True, look=-1, die=-1)
    behind = msgspec.structs.replace(
        behind, needs_pixels=False, stage=msgspec.structs.replace(behind.stage, needs=("brightness",))
    )

    def lead(number: int) -> SegmentTask:
        return segment(source, plan, tmp_path, leader, behind, number=number, following=("follower",))

    def pursue(number: int, *replay: str, to: str = "whole") -> FollowTask:
        return FollowTask(
            task_id=number + 10, job_id="job", segment_index=number, term=2, part=Pass(plan.segments[number], 0),
            size=(160, 120), stages=(leader, behind), following=("follower",), folder=str(tmp_path),
            rows=RowsPlace(f"{number}.ndjson"), outputs_path=str(tmp_path / f"{number}.{to}"), threads=1,
            replay=tuple(map(RowsPlace, replay)),
            pictured=(3,),
        )  # fmt: skip

    outcomes, told = run(make, lead(0), lead(1), pursue(0), pursue(1))
    assert all(isinstance(done, SegmentDone) for done in outcomes)
    rows = [json.loads(line) for line in (tmp_path / "0.whole").read_text().splitlines()]
    assert [list(row["outputs"]) for row in rows] == [["brightness", "follower"]] * plan.segments[0].end
    assert {name: row["outputs"]["brightness"] for name, row in enumerate(rows)} == {
        name: row["outputs"]["brightness"] for name, row in enumerate(rows_in(tmp_path))
    }
    (pictured,) = [report for report in told if isinstance(report, Followed)]
    assert json.loads(pictured.outputs) == rows[3]["outputs"]

    (refused, done), _ = run(make, pursue(1, to="again"), pursue(1, "0.whole", to="again"))
    assert (refused.code, done.frames) == ("state", plan.segments[1].end - plan.segments[1].start)
    assert (tmp_path / "1.again").read_bytes() == (tmp_path / "1.whole").read_bytes()
