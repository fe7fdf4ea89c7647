"""Delete: take an ended job out of the history, with everything it left on disk."""

from collections.abc import Callable

from app.actions.refusal import refuse
from app.media.storage import Storage
from app.store import jobs
from app.store.engine import Store


def delete(job_id: str, *, store: Store, storage: Storage, wake: Callable[[], None]) -> None:
    """Remove the job's rows, outputs, and its upload where no other job uses it. Raises UnknownJob, WrongState when active."""
    with store.begin() as tx:
        jobs.lock(tx, job_id)
        job = jobs.get(tx, job_id)
        if not job.status.ended:
            raise refuse(job, "delete", "completed, failed or cancelled")
        jobs.delete(tx, job_id)
    storage.delete_outputs(job_id)
    if job.source.upload and job.source.sha256:
        drop_unused_upload(job.source.sha256, store=store, storage=storage)
    wake()


def drop_unused_upload(sha256: str, *, store: Store, storage: Storage) -> bool:
    """Remove an upload that no job uses; say whether it was removed.

    Asked and done under the write lock: `submit` looks for its file under the same lock, so that no job is left without one.
    """
    with store.begin() as tx:
        if jobs.path_in_use(tx, sha256):
            return False
        storage.delete_upload(sha256)
    return True
