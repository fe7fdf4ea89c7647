"""What follows when a task fails or a worker is lost: try again, step over, disable a stage, or fail the job."""

from typing import Final

from app.domain.errors import DeviceRefused
from app.domain.job import WarningCode
from app.engine import settle
from app.engine.executor import LostWorker
from app.engine.job_run import JobRun
from app.engine.messages import StageTask, TaskFailed
from app.engine.station import Station

_SOURCE_TRIES: Final = 2
_FRAME_TRIES: Final = 2


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
        if outcome.code == "source":
            run.strikes[-1, "source"] += 1
            if run.strikes[-1, "source"] >= _SOURCE_TRIES:
                return f"The source could not be read: {outcome.message}"
        if outcome.code == "prepare" and outcome.stage is not None:
            self._at.executor.kill(worker)  # the second try is made in a fresh worker
            return await self._not_prepared(run, outcome.stage, outcome.message, outcome.detail)
        return None

    async def lost(self, run: JobRun, lost: LostWorker) -> str | None:
        """A worker died or hung with a task in hand."""
        if not lost.started:
            return None
        ids = [task.stage.id for task in run.stages]
        detail = str(lost.facts["detail"] or "") or None
        if lost.stage == "prepare":
            if 0 <= lost.frame < len(ids):
                return await self._not_prepared(run, ids[lost.frame], lost.cause, detail)
            return None
        key = lost.frame, lost.stage
        run.strikes[key] += 1
        if run.strikes[key] < _FRAME_TRIES:
            return None
        if lost.stage in ids:
            run.skips.append((lost.frame, lost.stage, lost.code, f"The plugin took the worker down: {lost.cause}."))
            return None
        return f"The worker was lost {run.strikes[key]} times at frame {lost.frame} in {lost.stage}: {lost.cause}."

    async def _not_prepared(self, run: JobRun, stage: str, message: str, detail: str | None) -> str | None:
        run.strikes[-1, stage] += 1
        if run.strikes[-1, stage] < _FRAME_TRIES:
            return None
        task = _task(run, stage)
        reason = f"Could not be prepared: {message}"
        await self._at.write(
            lambda tx: settle.disable_stage(tx, run.job.id, task, code=WarningCode.PREPARE_FAILED, reason=reason, detail=detail)
        )
        run.disabled.add(stage)
        run.unprepared.add(stage)
        return f"No stage is left to run. {stage}: {reason}" if run.out_of_stages() else None


def _task(run: JobRun, stage: str) -> StageTask:
    return next(task for task in run.stages if task.stage.id == stage)


def _asked(run: JobRun, stage: str | None) -> str:
    return next((task.device for task in run.stages if task.stage.id == stage), run.job.device_requested)
