"""submit: what is stored, what is refused, and that two who ask at once get one job."""

from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import anyio
import pytest

from app.actions import submit as submitting
from app.actions.draft import Draft, read_stages
from app.actions.submit import new_job_id, submit
from app.domain.errors import (
    BadDevice,
    BadField,
    BadOption,
    BadPipeline,
    BrokenPlugin,
    IdempotencyConflict,
    NotReady,
    QueueFull,
    UnknownPlugin,
    UnreadableMedia,
)
from app.domain.job import Job
from app.domain.media import SourceKind, SourceRef
from app.domain.plugin import FoundPlugin
from app.registry.discover import Catalogue
from app.store import jobs, segments
from app.store.engine import Store


@pytest.fixture
def draft(source: SourceRef) -> Draft:
    """A job on a picture."""
    return Draft(source=source, plugins=("people_hog",))


def ask(draft: Draft, store: Store, catalogue: Catalogue, max_queued: int = 10) -> tuple[Job, bool]:
    """Submit from outside any event loop."""
    return anyio.run(partial(submit, draft, store=store, catalogue=catalogue, max_queued=max_queued, wake=lambda: None))


def waiting(store: Store) -> int:
    """Number of queued jobs."""
    with store.read() as tx:
        return jobs.waiting(tx)


def test_a_job_is_stored_with_its_options_filled_in_and_its_segments(
    store: Store, catalogue: Catalogue, draft: Draft, clip: Path
) -> None:
    source = SourceRef(kind=SourceKind.VIDEO, name="clip", path=str(clip))
    pipeline = read_stages({"stages": [{"id": "a", "plugin": "people_hog", "options": {"min_confidence": 0.25}}]})
    wanted = replace(draft, source=source, stages=pipeline, plugins=(), loop=2, set_options={"a": {"max_width": 320}})
    job, created = ask(wanted, store, catalogue)
    assert created
    expected = {**catalogue.get("people_hog").defaults(), "min_confidence": 0.25, "max_width": 320}
    assert job.pipeline.stages[0].options == expected
    assert (job.frames_total, job.name) == (180, "clip")
    with store.read() as tx:
        assert jobs.get(tx, job.id) == job
        laid = segments.states(tx, job.id)
    assert (laid[0].start, laid[-1].end) == (0, 180)
    assert all(one.end == other.start for one, other in pairwise(laid))


def test_ids_sort_by_the_time_they_were_made() -> None:
    made = [new_job_id() for _ in range(2000)]
    assert len(set(made)) == 2000
    assert [job_id[:12] for job_id in made] == sorted(job_id[:12] for job_id in made)


def test_what_cannot_run_is_refused_before_the_source_is_looked_at(
    store: Store, catalogue: Catalogue, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_source: SourceRef) -> None:
        pytest.fail("the source was probed")

    monkeypatch.setattr(submitting, "probe", never)
    wrong = [
        (replace(draft, device="tpu"), BadDevice),
        (replace(draft, plugins=("none",)), UnknownPlugin),
        (replace(draft, plugins=()), BadPipeline),
        (replace(draft, set_options={"people_hog": {"zoom": 1}}), BadOption),
        (replace(draft, set_options={"other": {"max_width": 1}}), BadOption),
        (replace(draft, stages=read_stages({"stages": [{"plugin": "people_hog", "device": "tpu"}]})), BadDevice),
    ]
    for flawed, error in wrong:
        with pytest.raises(error):
            ask(flawed, store, catalogue)
    bent = Catalogue([FoundPlugin("people_hog", "here", Path(), None, "its code is missing")])
    with pytest.raises(BrokenPlugin, match="its code is missing"):
        ask(draft, store, bent)
    assert waiting(store) == 0


def test_an_unreadable_source_stores_nothing(store: Store, catalogue: Catalogue, draft: Draft, tmp_path: Path) -> None:
    path = tmp_path / "text.mp4"
    path.write_text("no video")
    with pytest.raises(UnreadableMedia):
        ask(replace(draft, source=SourceRef(kind=SourceKind.VIDEO, name="text.mp4", path=str(path))), store, catalogue)
    assert waiting(store) == 0


def test_the_queue_takes_no_more_than_it_may(store: Store, catalogue: Catalogue, draft: Draft) -> None:
    ask(draft, store, catalogue, max_queued=1)
    with pytest.raises(QueueFull, match="1 jobs are waiting"):
        ask(draft, store, catalogue, max_queued=1)
    assert ask(replace(draft, runner="a single run"), store, catalogue, max_queued=1)[1]


def test_two_requests_with_one_key_at_once_make_one_job(store: Store, catalogue: Catalogue, draft: Draft) -> None:
    keyed = replace(draft, idempotency_key="once", fingerprint="same")
    given: list[tuple[Job, bool]] = []

    async def both() -> None:
        async def one() -> None:
            given.append(await submit(keyed, store=store, catalogue=catalogue, max_queued=10, wake=lambda: None))

        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(one)

    anyio.run(both)
    assert len({job.id for job, _ in given}) == 1
    assert sorted(created for _, created in given) == [False, False, False, True]
    assert waiting(store) == 1
    with pytest.raises(IdempotencyConflict):
        ask(replace(keyed, fingerprint="other"), store, catalogue)


def test_a_source_that_vanished_during_the_probe_is_asked_for_again(
    store: Store, catalogue: Catalogue, draft: Draft, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "going.png"
    path.write_bytes(Path(str(draft.source.path)).read_bytes())
    real = submitting.probe

    async def probe_and_lose(source: SourceRef) -> object:
        plan = await real(source)
        path.unlink()
        return plan

    monkeypatch.setattr(submitting, "probe", probe_and_lose)
    with pytest.raises(NotReady, match="was removed while it was looked at"):
        ask(replace(draft, source=replace_path(draft.source, path)), store, catalogue)
    assert waiting(store) == 0


def replace_path(source: SourceRef, path: Path) -> SourceRef:
    """Give the same source at another path."""
    return SourceRef(kind=source.kind, name=source.name, path=str(path))


def test_a_job_with_more_segments_than_may_be_is_refused(
    store: Store, catalogue: Catalogue, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitting, "MAX_SEGMENTS", 3)
    with pytest.raises(BadField, match="expected at most 3 passes over this source"):
        ask(replace(draft, loop=4), store, catalogue)
    assert ask(replace(draft, loop=3), store, catalogue)[0].frames_total == 3
