"""A store with a job in any state, for actions: rows are moved there as the dispatcher would."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import anyio
import pytest

from app.actions.draft import Draft
from app.actions.submit import submit
from app.domain.job import Job, JobStatus, Segment, Wanted
from app.domain.media import SourceKind, SourceRef
from app.registry.discover import Catalogue
from app.store import jobs, segments
from app.store.engine import Store, utc_now
from tests.conftest import ROOT
from tests.postgres import history_of

PATHS = {  # how a queued job comes to each status
    JobStatus.QUEUED: (),
    JobStatus.RUNNING: (JobStatus.RUNNING,),
    JobStatus.PAUSED: (JobStatus.PAUSED,),
    JobStatus.FINALIZING: (JobStatus.RUNNING, JobStatus.FINALIZING),
    JobStatus.COMPLETED: (JobStatus.RUNNING, JobStatus.FINALIZING, JobStatus.COMPLETED),
    JobStatus.COMPLETED_WITH_WARNINGS: (JobStatus.RUNNING, JobStatus.FINALIZING, JobStatus.COMPLETED_WITH_WARNINGS),
    JobStatus.FAILED: (JobStatus.RUNNING, JobStatus.FAILED),
    JobStatus.CANCELLED: (JobStatus.CANCELLED,),
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An open store with no job."""
    opened = Store(history_of(tmp_path))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """The plugins that ship with Sightline."""
    return Catalogue.discover([ROOT / "plugins"], entry_points=False)


@pytest.fixture(scope="session")
def source(still: Path) -> SourceRef:
    """A picture of this machine."""
    return SourceRef(kind=SourceKind.IMAGE, name=still.name, path=str(still))


@pytest.fixture(scope="session")
def submitted(tmp_path_factory: pytest.TempPathFactory, catalogue: Catalogue, source: SourceRef) -> tuple[Job, list[Segment]]:
    """A job on a picture with its segments, as `submit` stores it."""
    store = Store(history_of(tmp_path_factory.mktemp("submitted")))
    draft = Draft(source=source, plugins=("people_hog",))
    job, _ = anyio.run(partial(submit, draft, store=store, catalogue=catalogue, max_queued=1, wake=lambda: None))
    with store.read() as tx:
        laid = segments.states(tx, job.id)
    store.close()
    return job, laid


@pytest.fixture
def make_job(store: Store, submitted: tuple[Job, list[Segment]]) -> Callable[..., Job]:
    """Store a job and bring it to a status: `make_job(JobStatus.PAUSED, Wanted.RUN, leased=True)`."""

    def make(status: JobStatus = JobStatus.QUEUED, wanted: Wanted = Wanted.RUN, *, leased: bool = False) -> Job:
        job, laid = submitted
        with store.begin() as tx:
            jobs.insert(tx, job, laid)
            for step in PATHS[status]:
                jobs.move(tx, job.id, step)
            if leased:
                assert segments.claim(tx, job.id, holder="test", lease_s=60, now=utc_now())
            return jobs.want(tx, job.id, wanted)

    return make
