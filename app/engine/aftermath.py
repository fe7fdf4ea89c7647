"""The aftermath of lost workers, for one job: what they had finished, what they died on, and what is not to be tried again."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final

from app.domain.job import Segment
from app.engine.ending import Blame
from app.engine.incidents import Incident
from app.engine.salvage import Kept
from app.engine.tasks import Skip

PREPARING: Final = -1  # stands for the frame where a stage is being prepared


class Aftermath:
    """Held in memory alone: when the server ends, segments in flight are done again from their start."""

    def __init__(self) -> None:
        self.skips: list[Skip] = []
        self.cut_short: dict[int, int] = {}  # by segment: the frame from which on it cannot be decoded
        self.unprepared: set[str] = set()  # disabled stages that never came up: there is nothing to sum up
        self.told: list[Incident] = []  # incidents over summing up, for the job's end
        self._strikes: Counter[tuple[int, str, Blame]] = Counter()
        self._incidents: defaultdict[int, list[Incident]] = defaultdict(list)  # by segment
        self._kept: dict[int, Kept] = {}  # by segment
        self._over = False

    def strike(self, frame: int, place: str, blame: Blame = Blame.PLACE) -> int:
        """Count a worker lost, or a task failed, at a place; say how many there were."""
        self._strikes[frame, place, blame] += 1
        return self._strikes[frame, place, blame]

    def note(self, segment: Segment, incident: Incident) -> None:
        """Remember what happened to a worker on a segment, until it is known what that cost."""
        self._incidents[segment.index].append(incident)

    def troubled(self, segment: Segment) -> bool:
        """Say whether a worker was lost on a segment, or would be."""
        return segment.index in self._incidents or segment.index in self.cut_short

    def survived(self, segment: Segment) -> list[Incident]:
        """What happened to workers on a segment that is done now, and cost nothing; it is forgotten here."""
        stepped_over = {(skip.frame, skip.stage) for skip in self.skips}
        return [
            incident
            for incident in _worth_telling(self._incidents.pop(segment.index, ()))
            if (incident.frame, incident.stage) not in stepped_over
            and not (incident.frame is None and incident.stage in self.unprepared)
            and not (incident.place == "decode" and incident.frame == self.cut_short.get(segment.index))
        ]

    def tell(self, incidents: Iterable[Incident]) -> None:
        """Have incidents over summing up told of at the job's end."""
        self.told += _worth_telling(incidents)

    def skips_in(self, segment: Segment, *, all_of: bool) -> tuple[Skip, ...]:
        """What is to be stepped over in a segment, or in the whole job."""
        return tuple(skip for skip in self.skips if all_of or segment.start <= skip.frame < segment.end)

    def keep(self, segment: Segment, before: Kept | None, lately: Kept | None = None) -> None:
        """Hold what was finished of a segment for its next claim: by workers `before`, and by the one lost `lately`."""
        kept = before.then(lately) if before and lately else lately or before
        if kept is not None and self._over:
            kept.discard()
        elif kept is not None:
            self._kept[segment.index] = kept

    def hand_on(self, segment: Segment, outputs_path: str) -> Kept | None:
        """Give what was finished of a segment to its next claim, whose rows go to `outputs_path`; None: nothing was kept."""
        kept = self._kept.pop(segment.index, None)
        return kept.moved_to(outputs_path) if kept else None

    def close(self) -> None:
        """Remove what was kept: nobody goes on with it."""
        self._over = True
        for kept in self._kept.values():
            kept.discard()
        self._kept.clear()


def _worth_telling(incidents: Iterable[Incident]) -> list[Incident]:
    """Leave out what came from outside: it says nothing of the job."""
    return [incident for incident in incidents if incident.blame is Blame.PLACE]
