"""delete: an ended job goes with its outputs; its upload goes when nobody else reads it."""

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from app.actions.delete import delete, drop_unused_upload
from app.actions.draft import Draft
from app.actions.submit import submit
from app.domain.errors import UnknownJob, WrongState
from app.domain.job import Job, JobStatus
from app.domain.media import SourceKind, SourceRef
from app.media.storage import Storage
from app.registry.discover import Catalogue
from app.store import jobs
from app.store.engine import Store


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """Storage in an empty home."""
    return Storage(tmp_path)


@pytest.mark.parametrize("status", [status for status in JobStatus if not status.ended])
def test_an_active_job_is_not_deleted(store: Store, storage: Storage, make_job: Callable[..., Job], status: JobStatus) -> None:
    job = make_job(status)
    with pytest.raises(WrongState, match=f"is {status}; delete needs a job that is completed, failed or cancelled"):
        delete(job.id, store=store, storage=storage, wake=lambda: pytest.fail("nothing changed"))
    with store.read() as tx:
        assert jobs.get(tx, job.id) == job


@pytest.mark.parametrize("status", [status for status in JobStatus if status.ended])
def test_an_ended_job_goes_with_its_outputs_and_a_file_of_the_machine_stays(
    store: Store, storage: Storage, make_job: Callable[..., Job], still: Path, status: JobStatus
) -> None:
    job, rung = make_job(status), []
    folder = storage.outputs_folder(job.id)
    folder.mkdir(parents=True)
    (folder / "0.ndjson").write_text("{}\n")
    delete(job.id, store=store, storage=storage, wake=lambda: rung.append(1))
    assert not folder.exists()
    assert still.exists()
    assert rung == [1]
    with pytest.raises(UnknownJob):
        delete(job.id, store=store, storage=storage, wake=lambda: None)


def test_an_upload_is_dropped_only_when_no_job_uses_it(
    store: Store, storage: Storage, catalogue: Catalogue, still: Path
) -> None:
    upload = storage.new_upload("s.png", 1_000_000)
    upload.write(still.read_bytes())
    kept = upload.finish()
    source = SourceRef(kind=SourceKind.IMAGE, name="s.png", path=str(kept.path), sha256=kept.sha256, upload=True)
    draft = Draft(source=source, plugins=("people_hog",))

    async def ask() -> Job:
        return (await submit(draft, store=store, catalogue=catalogue, max_queued=10, wake=lambda: None))[0]

    job = anyio.run(ask)
    assert drop_unused_upload(kept.sha256, store=store, storage=storage) is False
    assert kept.path.exists()
    with store.begin() as tx:
        jobs.delete(tx, job.id)
    assert drop_unused_upload(kept.sha256, store=store, storage=storage) is True
    assert not kept.path.exists()
