"""The one sentence with which every action refuses a job in the wrong state."""

from app.domain.errors import WrongState
from app.domain.job import Job, Wanted

_ON_THE_WAY = {Wanted.CANCEL: "being cancelled", Wanted.STOP: "being stopped", Wanted.PAUSE: "being paused"}


def refuse(job: Job, verb: str, expected: str) -> WrongState:
    """Make the error that says what the job is, and what the verb would need."""
    coming = _ON_THE_WAY.get(job.wanted) if not job.status.ended and job.status != "paused" else None
    status = f"{job.status} and {coming}" if coming else str(job.status)
    return WrongState(job_id=job.id, status=status, verb=verb, expected=expected)
