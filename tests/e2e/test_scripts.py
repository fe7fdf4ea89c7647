"""Scripts on `app.client`: a job from submit to its rows, a feed that is cut all the time, refusals in one sentence."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.client import AsyncClient, Client, ServerRefused, ServerUnreachable, resume
from app.domain.insight import FACT_TYPES, Close, Hello, Insight, Overlay, Progress, Status
from app.domain.job import JobStatus
from tests.conftest import Server, Servers, write_clip
from tests.relay import cutting_relay

TEST_PLUGINS = Path(__file__).parents[1] / "plugins"
TOKEN = "a secret of this test"
SLOW: dict[str, Any] = {"stages": [{"plugin": "motion_mog2"}, {"plugin": "brightness", "options": {"ms": 10}}]}
ENDLESS = {"brightness": {"ms": 1000}}


@pytest.fixture(scope="module")
def house(module_servers: Servers) -> Server:
    """One server that wants a token."""
    env = {"SIGHTLINE_WORKERS": "1", "SIGHTLINE_PLUGINS_PATH": str(TEST_PLUGINS), "SIGHTLINE_TOKEN": TOKEN}
    return module_servers.start(env=env)


@pytest.fixture
def client(house: Server) -> Iterator[Client]:
    """A client of that server."""
    with Client(house.url, token=TOKEN) as client:
        yield client


@pytest.fixture
def stranger(house: Server) -> Iterator[Client]:
    """A client that does not know the token."""
    with Client(house.url, token="wrong") as stranger:
        yield stranger


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred frames: a second and more of work."""
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=100)


def facts(insights: list[Insight]) -> list[tuple[str, Any]]:
    """Facts by what tells them apart."""
    return [(insight.type, insight.at) for insight in insights if insight.type in FACT_TYPES]


def test_a_script_submits_follows_and_reads_a_job(client: Client, clip: Path) -> None:
    job = client.submit(clip, pipeline=SLOW, name="by script", tags=["a", "b"], priority=3)
    assert (job.name, job.tags, job.source.frames) == ("by script", ("a", "b"), 100)
    feed = client.follow(job)
    insights = list(feed)
    assert (type(insights[0]), type(insights[-1]), feed.closed) == (Hello, Close, "completed")
    statuses = [insight.status for insight in insights if isinstance(insight, Status)]
    assert statuses[-3:] == [JobStatus.RUNNING, JobStatus.FINALIZING, JobStatus.COMPLETED]
    assert [i.frames_done for i in insights if isinstance(i, Progress)][-1] == 100
    assert {name for i in insights if isinstance(i, Overlay) for name in i.outputs} == {"motion_mog2", "brightness"}
    assert list(client.follow(job, last_event_id=feed.last_id)) == []  # 204: nothing more will come

    done = client.wait(job, timeout_s=30)
    assert (done.status, done.frames_done, done.device_used) == (JobStatus.COMPLETED, 100, "cpu")
    assert {"motion_mog2", "brightness", "decode"} <= {row.stage for row in done.breakdown}
    assert [row.frame_index for row in client.frames(job, 10, 40)] == list(range(10, 40))
    assert job.id in {item.id for item in client.jobs(status=[JobStatus.COMPLETED], plugin="brightness").items}
    client.delete(job)
    with pytest.raises(ServerRefused, match=f"There is no job '{job.id}'"):
        client.get(job)


def test_a_feed_that_is_cut_all_the_time_tells_every_fact_once(
    client: Client, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resume, "RETRY_S", 0.02)
    job = client.submit(clip, pipeline=SLOW)
    with cutting_relay(client.address) as address, Client(address, token=TOKEN) as cut:
        feed = cut.follow(job, types=FACT_TYPES)
        told = list(feed)
    assert feed.closed == "completed"
    assert sum(isinstance(insight, Hello) for insight in told) > 3
    assert facts(told) == facts(list(client.follow(job)))


def test_the_same_with_await(house: Server, clip: Path) -> None:
    async def script() -> None:
        async with AsyncClient(house.url, token=TOKEN) as client:
            job = await client.submit(clip, plugins=["motion_mog2"], strict_device=False)
            async with client.follow(job, types=["status"]) as feed:
                insights = [insight async for insight in feed]
            assert (feed.closed, type(insights[-1])) == ("completed", Close)
            assert [insight.status for insight in insights if isinstance(insight, Status)][-1] is JobStatus.COMPLETED
            assert (await client.wait(job)).frames_done == len([row async for row in client.frames(job)]) == 100
            with pytest.raises(ServerRefused, match="needs a job that is"):
                await client.cancel(job)
            await client.delete(job)

    asyncio.run(script())


def test_a_job_is_paused_resumed_cancelled_and_retried(client: Client, clip: Path) -> None:
    job = client.submit(clip, plugins="brightness", options=ENDLESS)
    with client.follow(job, types=["progress"]) as feed:
        next(insight for insight in feed if isinstance(insight, Progress))
    with pytest.raises(TimeoutError, match="is running after"):
        client.wait(job, timeout_s=0.1)
    for verb in (client.pause, client.resume, client.cancel):
        assert verb(job).id == job.id
    assert client.wait(job, timeout_s=30).status is JobStatus.CANCELLED
    assert client.retry(job).status is JobStatus.QUEUED
    client.cancel(job)
    assert client.wait(job, timeout_s=30).status is JobStatus.CANCELLED


def test_what_a_server_refuses_is_one_error_with_its_sentence(client: Client, stranger: Client, clip: Path) -> None:
    refused: list[tuple[Callable[[], Any], int, str]] = [
        (lambda: client.submit(clip, plugins="nobody"), 422, "There is no plugin 'nobody'"),
        (lambda: client.submit(url="ftp://somewhere", plugins="brightness"), 422, "ftp"),
        (lambda: client.submit(path="/etc/hosts", plugins="brightness"), 422, "hosts"),
        (lambda: client.submit(plugins="brightness"), 422, "either url or path"),
        (lambda: list(client.follow("nowhere")), 404, "There is no job 'nowhere'"),
        (lambda: list(client.follow(types=["weather"])), 400, "There is no type 'weather'"),
        (lambda: list(client.frames("nowhere")), 404, "There is no job 'nowhere'"),
        (stranger.jobs, 401, "wants a token"),
    ]
    for ask, status, words in refused:
        with pytest.raises(ServerRefused, match=words) as problem:
            ask()
        assert problem.value.status == status
        assert problem.value.type.startswith("/problems/")


def test_where_nobody_answers_a_script_is_told_at_once(client: Client) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with Client(f"http://127.0.0.1:{unused.getsockname()[1]}") as nobody:
            for ask in (nobody.jobs, lambda: list(nobody.follow())):
                with pytest.raises(ServerUnreachable, match=r"There is no answer from http://127\.0\.0\.1:"):
                    ask()
