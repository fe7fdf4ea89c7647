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
        self.judged: dict[str, Health] = {}  # what was found last; OK where nothing was
        self._unsaid: list[tuple[str, HealthVerdict]] = []
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
            self._look_at(stage)
        return counts

    def failed_share(self, stage: str) -> float:
        """How many of a stage's recent frames failed, of 1."""
        recent = self._recent[stage].sum
        return recent.failures / recent.frames if recent.frames else 0.0

    def restarted(self, stage: str) -> None:
        """Note that a stage took its worker down."""
        self._recent[stage].add(Vitals(restarts=1))
        self._look_at(stage)

    def news(self, *, whole: bool = False) -> list[tuple[str, HealthVerdict]]:
        """Stages whose health has changed since the last time, with each verdict in its order: a short one counts as well.

        With `whole`, also new words for one that stands, and the first ones.
        """
        news, self._unsaid = self._unsaid, []
        self._told |= dict(news)
        for stage in self._recent if whole else ():
            verdict, told = self._verdict(stage), self._told.get(stage)
            if verdict is not None and (told is None or (verdict.health is not Health.OK and verdict != told)):
                news.append((stage, verdict))
                self._told[stage] = verdict
        return news

    def _look_at(self, stage: str) -> None:
        if not any(self._recent[stage].sum[1:]) and self.judged.get(stage, Health.OK) is Health.OK:
            return  # nothing is known against it, as nearly always
        verdict = self._verdict(stage)
        if verdict is not None and verdict.health is not self.judged.get(stage, Health.OK):
            self.judged[stage] = verdict.health
            self._unsaid.append((stage, verdict))

    def _verdict(self, stage: str) -> HealthVerdict | None:
        recent = self._recent[stage].sum
        return judge(recent, self.judged.get(stage, Health.OK), self._budgets[stage]) if any(recent) else None
