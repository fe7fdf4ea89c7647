"""What a worker tells of an address on the way: what was measured when it opened, and when it was lost and came back."""

import asyncio

from app.domain.media import DecodePlan, SourcePlan
from app.engine.job_run import JobRun
from app.engine.messages import Noticed, Opened
from app.engine.station import Station
from app.store import growth, warnings

Told = Opened | Noticed


async def keep(at: Station, run: JobRun, report: Told) -> None:
    """Store what was told, and have what was measured known for what is to be done next."""
    job_id = run.job.id
    if isinstance(report, Noticed):
        frame = report.frame_index
        await at.write(
            lambda tx: warnings.warn(
                tx, job_id, code=report.code, stage=None, message=report.message, count=1, first_frame_index=frame,
                last_frame_index=frame, detail=None,
            )
        )  # fmt: skip
        return
    plan = run.measured = SourcePlan(report.media, DecodePlan(), ())
    await at.write(lambda tx: growth.measure(tx, job_id, plan), ring=False)
    await asyncio.to_thread(at.keep_picture, job_id, report.jpeg)
