"""Save what a person picked for a job as a pipeline, so that other jobs can take it."""

from app.actions.check import complete_pipeline
from app.actions.draft import Draft, with_saved_stages
from app.actions.save_pipeline import save_pipeline
from app.domain.pipeline import SavedPipeline
from app.registry.discover import Catalogue
from app.store.engine import Store


def save_choice(name: str, draft: Draft, *, store: Store, catalogue: Catalogue) -> SavedPipeline:
    """Keep the stages of a draft under a name, every option as it stands; the draft's source counts for nothing.

    Raises BadField for a bad name, UnknownPipeline, and what `check_pipeline` does.
    """
    pipeline = complete_pipeline(with_saved_stages(draft, store), catalogue)
    saved, _ = save_pipeline(name, pipeline.stages, store=store, catalogue=catalogue, model_roots=draft.model_roots)
    return saved
