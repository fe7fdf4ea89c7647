"""What follows when a task fails or a worker is lost: try again, step over, disable a stage, or fail the job."""

import logging
from typing import Final

from app.domain.errors import DeviceRefused, DiskFull
from app.domain.job import WarningCode
from app.engine import settle
from app.engine.aftermath import PREPARING
from app.engine.ending import TRIES, Blame
from app.engine.executor import LostWorker
from app.engine.flight import Flight
from app.engine.incidents import Incident
from app.engine.job_run import JobRun
from app.engine.messages import TaskFailed
from app.engine.station import Station
from app.engine.tasks import TOOK_DOWN, Skip

_log = logging.getLogger(__name__)
_SOURCE_TRIES: Final = 2


class Mishaps:
    """Decides, and notes the decision; gives the sentence for which the job must fail, or None while it can go on."""

    def __init__(self, station: Station) -> None:
        self._at = station

    async def failed(self, run: JobRun, outcome: TaskFailed, worker: int) -> str | None:
        """A task ended without a result."""
        if outcome.code == "device":
            return str(DeviceRefused(stage=outcome.stage, requested=_asked(run, outcome.stage), reason=outcome.message))
        if outcome.code == "policy":
            return f"Stage {outcome.stage!r} failed and its policy is to fail the job: {outcome.message}"
        if outcome.code == "stream":
            return outcome.message
        if outcome.code == "disk":
            full = DiskFull(what="the outputs", reason=outcome.message)
            return f"{full} Make room, then retry the job: it goes on where it is."
        if outcome.code == "source" and run.aftermath.strike(PREPARING, "source") >= _SOURCE_TRIES:
            return f"The source could not be read: {outcome.message}"
        if outcome.code == "prepare" and outcome.stage is not None:
            self._at.executor.kill(worker)  # the second try is made in a fresh worker
            return await self._not_prepared(run, outcome.stage, outcome.message, outcome.detail)
        return None

    async def lost(self, run: JobRun, lost: LostWorker, flight: Flight) -> str | None:
        """A worker died or hung with a segment in hand."""
        segment = flight.segment
        _log.warning("%s", lost)
        if not lost.started or lost.blame is Blame.OURSELVES:
            return None
        ids, tries = [task.stage.id for task in run.stages], TRIES[lost.blame]
        if lost.stage == "prepare":
            if not 0 <= lost.frame < len(ids):
                return None
            stage = ids[lost.frame]
            if lost.blame is not Blame.OUTSIDE:
                run.checkup.restarted(stage)
            run.aftermath.note(segment, Incident.of(lost, f"the prepare of {stage}", frame=None, stage=stage))
            return await self._not_prepared(run, stage, lost.cause, lost.detail, tries, lost.blame)
        stage_id = lost.stage if lost.stage in ids else None
        run.aftermath.note(segment, Incident.of(lost, lost.stage, frame=lost.frame, stage=stage_id))
        if stage_id is not None and lost.blame is not Blame.OUTSIDE:
            run.checkup.restarted(stage_id)
        if run.aftermath.strike(lost.frame, lost.stage, lost.blame) < tries:
            return None
        if stage_id is not None:
            message = f"{TOOK_DOWN}, tried {_times(tries)}: {lost.cause}."
            run.aftermath.skips.append(Skip(lost.frame, stage_id, lost.code, message, lost.detail))
            return None
        decoding = (
            lost.stage == "decode" and not flight.follows and not run.open_ended and segment.start <= lost.frame <= segment.end
        )
        if decoding and segment.index not in run.aftermath.cut_short:
            run.aftermath.cut_short[segment.index] = lost.frame
            return None
        return f"The worker was lost {_times(tries)} at frame {lost.frame} in {lost.stage}: {lost.cause}."

    async def _not_prepared(  # noqa: PLR0917  # a stage, what went wrong with it, and how often that may happen
        self, run: JobRun, stage: str, message: str, detail: str | None, tries: int = 2, blame: Blame = Blame.PLACE
    ) -> str | None:
        if run.aftermath.strike(PREPARING, stage, blame) < tries or stage in run.disabled:
            return None
        code, reason = WarningCode.PREPARE_FAILED, f"Could not be prepared, tried {_times(tries)}: {message}"
        run.disabled |= await self._at.write(
            lambda tx: settle.disable_stage(tx, run.job.id, run.stages, stage, code=code, reason=reason, detail=detail)
        )
        run.aftermath.unprepared.add(stage)
        return f"No stage is left to run. {stage}: {reason}" if run.out_of_stages() else None


def _times(tries: int) -> str:
    return "twice" if tries == 2 else f"{tries} times"


def _asked(run: JobRun, stage: str | None) -> str:
    return next((task.device for task in run.stages if task.stage.id == stage), run.job.device_requested)
