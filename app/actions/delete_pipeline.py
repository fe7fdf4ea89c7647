"""Delete a saved pipeline; jobs that were submitted with it keep theirs."""

from app.store import pipelines
from app.store.engine import Store


def delete_pipeline(name: str, *, store: Store) -> None:
    """Remove what is saved under a name; raise UnknownPipeline."""
    with store.begin() as tx:
        pipelines.delete(tx, name)
