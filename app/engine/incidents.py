"""Incidents: workers that were lost although nothing is missing in the end, told as a warning each."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from app.domain.job import WarningCode
from app.engine.ending import Blame
from app.engine.executor import LostWorker
from app.store import warnings


@dataclass(frozen=True, slots=True)
class Incident:
    """A worker that was lost at `place` (a stage or a row of the breakdown), on a frame where one was in hand."""

    place: str
    frame: int | None
    stage: str | None
    cause: str
    blame: Blame
    detail: str | None

    @classmethod
    def of(cls, lost: LostWorker, place: str, *, frame: int | None, stage: str | None) -> "Incident":
        """What a lost worker leaves to be told."""
        return cls(place, frame, stage, lost.cause, lost.blame, lost.detail)

    @property
    def message(self) -> str:
        """The sentence a person reads."""
        where = self.place if self.frame is None else f"{self.place} on frame {self.frame}"
        return f"A worker was lost in {where}: {self.cause}. Another one took over, and nothing is missing."


def tell(tx: Connection, job_id: str, incidents: Iterable[Incident]) -> None:
    """Store a warning for each incident."""
    for incident in incidents:
        warnings.warn(
            tx, job_id, code=WarningCode.WORKER_LOST, stage=incident.stage, message=incident.message, count=1,
            first_frame_index=incident.frame, last_frame_index=incident.frame, detail=incident.detail,
        )  # fmt: skip
