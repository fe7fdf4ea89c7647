"""A comparison of two jobs as the API shows it."""

from typing import Self

from pydantic import Field

from app.web.comparison import Comparison, StageComparison
from app.web.schemas_pipeline import Document


class DifferenceDocument(Document):
    """Findings only the first job has, only the second, and both but not alike."""

    only_first: int
    only_second: int
    changed: int


class StageComparisonDocument(DifferenceDocument):
    """One stage: the frames on which it differs, and how often each job found each label."""

    stage: str
    frames: int = Field(description="Frames on which the stage's outputs differ.")
    first_labels: dict[str, int]
    second_labels: dict[str, int]

    @classmethod
    def of(cls, stage: StageComparison) -> Self:
        """Describe a stage of both jobs."""
        return cls(
            stage=stage.stage,
            frames=stage.frames,
            only_first=stage.only_first,
            only_second=stage.only_second,
            changed=stage.changed,
            first_labels=dict(stage.first_labels.most_common()),
            second_labels=dict(stage.second_labels.most_common()),
        )


class FrameDifferenceDocument(Document):
    """A frame that differs, with what differs by stage."""

    frame_index: int
    stages: dict[str, DifferenceDocument]


class ComparisonDocument(Document):
    """What differs between two jobs; `differing` holds the first frames that do."""

    first: str
    second: str
    frames_in_both: int
    frames_only_in_first: int
    frames_only_in_second: int
    frames_differing: int
    stages: list[StageComparisonDocument]
    differing: list[FrameDifferenceDocument]

    @classmethod
    def of(cls, first: str, second: str, found: Comparison) -> Self:
        """Describe a comparison of the jobs with these ids."""
        return cls(
            first=first,
            second=second,
            frames_in_both=found.both,
            frames_only_in_first=found.only_first,
            frames_only_in_second=found.only_second,
            frames_differing=found.frames,
            stages=[StageComparisonDocument.of(stage) for stage in found.stages.values()],
            differing=[
                FrameDifferenceDocument(
                    frame_index=index,
                    stages={
                        stage: DifferenceDocument(
                            only_first=apart.only_first, only_second=apart.only_second, changed=apart.changed
                        )
                        for stage, apart in told.items()
                    },
                )
                for index, told in found.differing
            ],
        )
