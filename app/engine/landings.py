"""Landings: what workers are done with, committed; segments of a job that come down within a moment, together."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from sqlalchemy.engine import Connection

from app.domain.job import RowsPlace, Segment, SegmentState, Wanted
from app.engine import settle
from app.engine.flight import Flight, Landing, Shared
from app.engine.job_run import JobRun
from app.engine.messages import Beat, SegmentDone
from app.engine.plan import ended_at
from app.engine.process import clock
from app.engine.settle import Landed, Settled
from app.engine.station import Station
from app.store import growth, segments

_LINGER_S: Final = 0.5  # nobody waits for a commit: workers have more in hand, and progress is told by what is in flight
_SHORT_US: Final = _LINGER_S / 2 * 1e6  # of segments that take longer, hardly two come down within that time


class Landings:
    """Commits what comes down, and tells what follows from it."""

    def __init__(self, station: Station) -> None:
        self._at = station

    async def commit(self, run: JobRun, flight: Flight, done: SegmentDone) -> str | None:
        """Commit a segment, with others that come down meanwhile; give the sentence for which the job must fail, if any."""
        landing, strip = Landing(flight, flight.kept.completed_by(done) if flight.kept else done), run.strip
        if done.reach:
            flight.segment, landing.then = ended_at(flight.segment, done.reach)
            run.state_at = flight.worker, flight.segment.end
        run.beat(flight, Beat(done.task_id, done.frames, done.tallies), clock())
        strip.waiting.append(landing)
        if not _more_to_come(run, done):
            strip.hurry.set()
        async with strip.turn:
            if landing.settling is None:  # else it was brought in with another one, whose turn it was
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LINGER_S):
                        await strip.hurry.wait()
                await self._bring_in(run)
        return None if landing.settling is None else landing.settling.result()

    async def note_health(self, run: JobRun, *, whole: bool = False) -> None:
        """Store and tell what is newly to be said of the stages' health."""
        async with run.checkup.turn:
            news = [(stage, verdict) for stage, verdict in run.checkup.news(whole=whole) if stage not in run.disabled]
            if news:
                run.health |= {stage: verdict.health for stage, verdict in news}
                await self._at.write(lambda tx: settle.note_health(tx, run.job.id, run.stages, news))

    async def _bring_in(self, run: JobRun) -> None:
        """Commit all that waits; each learns what came of it, or what went wrong."""
        landings, run.strip.waiting = run.strip.waiting, []
        run.strip.hurry.clear()
        settling = asyncio.ensure_future(self._settle(run, landings))
        for landing in landings:
            landing.settling = settling
        await settling

    async def _settle(self, run: JobRun, landings: Sequence[Landing]) -> str | None:
        landed = [_landed(run, landing) for landing in landings]
        settled = await self._at.write(lambda tx: _commit(tx, run, landings, landed))
        counted = _counted(settled)
        for landing in landings:
            if _claim(landing.flight.segment) in counted:
                self._count(run, landing.flight)
            else:
                await self._discard(run, landing.flight.segment, landing.done.rows)
        if settled is None:
            return None
        run.job, run.exhausted, run.left = settled.job, not settled.any_open, settled.left
        for row in settled.rows:
            run.learn(row)
        await self.note_health(run, whole=True)
        self._at.teller.progress(run, clock())
        return "No stage is left to run: each was disabled after too many failures." if run.out_of_stages() else None

    def _count(self, run: JobRun, flight: Flight) -> None:
        segment = flight.segment
        flight.frames, flight.kept = 0, None  # counted in the job now, or behind it
        if flight.shared:
            flight.shared.counts = True
        if run.trail.stages:
            run.trail.frames_behind += (segment.end - segment.start) * (-1 if flight.follows else 1)
        if flight.follows and segment.rows:  # the rows stand whole in the new file
            _remove(run, segment.rows)

    async def part_with(self, run: JobRun, shared: Shared) -> None:
        """Note that one more of those that share a file is done with; remove it where nothing in it counts in the end."""
        shared.left -= 1
        if shared.left or shared.counts or await self._at.read(lambda tx: segments.any_in(tx, run.job.id, shared.name)):
            return
        _remove(run, RowsPlace(shared.name))

    async def _discard(self, run: JobRun, segment: Segment, rows: RowsPlace) -> None:
        """Remove rows that do not count; a commit that was asked for twice has them already, and then they stay."""
        known = await self._at.read(lambda tx: segments.with_frame(tx, run.job.id, segment.start))
        if known is None or known.rows != rows:
            _remove(run, rows)


def _remove(run: JobRun, rows: RowsPlace) -> None:
    """Remove a file of rows; those that share one stay there, and nobody reads them."""
    if rows.size is None:
        Path(run.folder, rows.file).unlink(missing_ok=True)


def _more_to_come(run: JobRun, done: SegmentDone) -> bool:
    """Say whether others are likely to come down soon, so that one transaction does for all."""
    if (
        done.reach
        or done.loop_us > _SHORT_US
        or done.failures
        or done.disabled
        or run.ending
        or run.job.wanted is not Wanted.RUN
    ):
        return False
    return any(not flight.landed for flight in run.flights.values())


def _landed(run: JobRun, landing: Landing) -> Landed:
    segment, awaited = landing.flight.segment, run.trail.stages and not landing.flight.follows
    to = SegmentState.AWAITING if awaited else SegmentState.COMMITTED
    return Landed(segment, landing.done, to, run.aftermath.survived(segment))


def _commit(tx: Connection, run: JobRun, landings: Sequence[Landing], landed: Sequence[Landed]) -> Settled | None:
    for landing in landings:
        if landing.done.reach:  # one that is fenced changes nothing here, and does not count below
            growth.end(tx, landing.flight.segment, landing.then)
    settled = settle.commit_segments(tx, run.job, run.stages, landed)
    counted = _counted(settled)
    for flight in (landing.flight for landing in landings):
        if flight.replay_from and _claim(flight.segment) in counted:
            stages = run.followers if flight.follows else run.leaders
            start = flight.kept.resume_at if flight.kept else flight.segment.start
            settle.warn_of_approximate_resume(tx, run.job.id, stages, start, flight.replay_from)
    return settled


def _counted(settled: Settled | None) -> set[tuple[int, int]]:
    return {_claim(one.segment) for one in settled.counted} if settled else set()


def _claim(segment: Segment) -> tuple[int, int]:
    """What tells one claim of a segment from every other."""
    return segment.index, segment.term
