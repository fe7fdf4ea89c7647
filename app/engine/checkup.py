"""Watches how the stages of a job do while it runs: what each beat brings, and when a verdict on a stage changes."""

import asyncio
from collections.abc import Iterable, Sequence

from app.domain.health import Health, HealthVerdict, RecentPast, Vitals, judge
from app.engine.messages import StageTally
from app.engine.tasks import StageTask

Counts = dict[str, Vitals]


class Checkup:
    """The recent past of every stage of a job."""

    def __init__(self, stages: Sequence[StageTask]) -> None:
        self._budgets = {task.stage.id: task.budget_ms for task in stages}
        self._recent = {task.stage.id: RecentPast() for task in stages}
        self._told: dict[str, HealthVerdict] = {}
        self.turn = asyncio.Lock()  # verdicts are stored one after the other, or an older one would stand last

    def take_in(self, tallies: Iterable[StageTally], before: Counts) -> Counts:
        """Take in what came since `before` in one task; give what to hand in the next time."""
        counts = {
            tally.row: Vitals(tally.frames + tally.soft_failures, tally.soft_failures, tally.over_budget)
            for tally in tallies
            if tally.row in self._recent
        }
        for stage, now in counts.items():
            then = before.get(stage, Vitals())
            self._recent[stage].add(Vitals(*(one - other for one, other in zip(now, then, strict=True))))
        return counts

    def failed_share(self, stage: str) -> float:
        """How many of a stage's recent frames failed, of 1."""
        recent = self._recent[stage].sum
        return recent.failures / recent.frames if recent.frames else 0.0

    def restarted(self, stage: str) -> None:
        """Note that a stage took its worker down."""
        self._recent[stage].add(Vitals(restarts=1))

    def news(self, known: dict[str, Health], *, whole: bool = False) -> dict[str, HealthVerdict]:
        """Verdicts that differ in health from what is `known`; with `whole`, also new words for one, and the first ones."""
        news: dict[str, HealthVerdict] = {}
        for stage, recent in self._recent.items():
            previous = known.get(stage, Health.OK)
            verdict = judge(recent.sum, previous, self._budgets[stage]) if recent.sum.frames else None
            if verdict is None:
                continue
            told = self._told.get(stage)
            worded = whole and (told is None or (verdict.health is not Health.OK and verdict != told))
            if verdict.health is not previous or worded:
                news[stage] = self._told[stage] = verdict
        return news
