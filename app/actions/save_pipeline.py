"""Save a pipeline under a name, so that jobs can be submitted with it."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from app.actions.check import check_pipeline
from app.domain.errors import BadField
from app.domain.pipeline import Pipeline, SavedPipeline, Stage, arrange
from app.registry.discover import Catalogue
from app.store import pipelines
from app.store.engine import Store

NAME_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"


def save_pipeline(
    name: str, stages: Sequence[Stage], *, store: Store, catalogue: Catalogue, model_roots: Iterable[Path] = ()
) -> tuple[SavedPipeline, bool]:
    """Keep stages under a name, in place of what was there; give what is kept, and whether the name is new.

    They are checked as for a job, and kept as they were given: an option that is not named takes its default whenever the
    pipeline runs. Raises BadField for a bad name, and what `check_pipeline` does.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        expected = "1 to 64 letters, digits, dots, hyphens and underscores, beginning with a letter or a digit"
        raise BadField(field="name", actual=name[:80], expected=expected)
    check_pipeline(stages, catalogue, model_roots=model_roots)
    with store.begin() as tx:
        return pipelines.put(tx, name, Pipeline(arrange(stages)))
