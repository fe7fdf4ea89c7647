"""What is published in the bench of the feed: an even stream of facts, or the mix that a working server tells."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from app.domain.insight import FACT_TYPES, INSIGHT_EXAMPLES, Insight, Warned

_JOBS = ("019b7d2f4a6e3c51", "019b7d2f4a6e3c52")


class Plan(NamedTuple):
    """How many insights a second, and which: `even` (facts alone) or `mix` (two jobs, eight types)."""

    kind: str
    rate: float

    def __str__(self) -> str:
        return f"{self.kind} {self.rate:g}/s"

    def insights(self) -> Iterator[Insight]:
        """Give insights for ever; each is told at the moment it is taken."""
        kinds = _mixed() if self.kind == "mix" else _even()
        for insight in kinds:
            yield msgspec.structs.replace(insight, at=datetime.now(UTC))


def _even() -> Iterator[Insight]:
    count = 0
    while True:
        count += 1
        yield Warned(
            at=datetime.now(UTC), job_id=_JOBS[0], code="exception", stage="people_hog", frame_index=count,
            message="ValueError: no contour was found in the frame", count=count,
        )  # fmt: skip


def _mixed() -> Iterator[Insight]:
    """Of thirty: each job has five of progress, five overlays and two metrics; one usage; five facts, of every type."""
    facts = sorted(FACT_TYPES)
    turn = 0
    while True:
        second: list[Insight] = []
        for job in _JOBS:
            for kind, times in (("progress", 5), ("overlay", 5), ("metrics", 2)):
                second += [msgspec.structs.replace(INSIGHT_EXAMPLES[kind], job_id=job)] * times
        for nth in range(5):
            fact = INSIGHT_EXAMPLES[facts[(turn + nth) % len(facts)]]
            second.append(msgspec.structs.replace(fact, job_id=_JOBS[nth % 2]))
        second.append(INSIGHT_EXAMPLES["usage"])
        turn += 1
        stride = 7  # has nothing in common with thirty: each kind is spread over the second
        yield from (second[nth * stride % len(second)] for nth in range(len(second)))
