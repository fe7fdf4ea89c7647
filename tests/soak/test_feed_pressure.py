"""The feed of a real server under pressure: hundreds of readers, some of whom never read, and one who reads very slowly."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from app.client import Client
from tests.conftest import ROOT, Server, Servers, wait_until, write_clip
from tests.crowd import gathered
from tests.sse import Event, Parser, follow

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]
SETTINGS = {"SIGHTLINE_WORKERS": "1", "SIGHTLINE_PLUGINS_PATH": str(ROOT / "tests" / "plugins")}
READERS, STALLED = 450, 50
MINUTE_S, BYTES_PER_S = 60, 200
PUBLISHED = "sightline_insights_published_total"


@pytest.fixture
def busy(servers: Servers, tmp_path: Path) -> Iterator[tuple[Server, str]]:
    """A server with a job that goes on for minutes; the job's id."""
    server = servers.start(env=SETTINGS)
    clip = write_clip(tmp_path / "clip.mp4", frames=200, size=(320, 240), fps=10)
    with Client(server.url) as client:
        pipeline = {"stages": [{"plugin": "square"}, {"plugin": "faulty", "options": {"every": 7}}]}
        yield server, client.submit(clip, pipeline=pipeline, pace="realtime", loop=100).id


def metric(server: Server, name: str) -> float:
    """Read one number of /metrics."""
    with server.client() as client:
        lines = client.get("/metrics").raise_for_status().text.splitlines()
    return float(next(line.split()[-1] for line in lines if line.startswith(f"{name} ")))


def make_facts(server: Server, job_id: str) -> None:
    """Have some facts told: of a job that is made and cancelled at once."""
    with server.client() as client:
        other = client.post(f"/v1/jobs/{job_id}/again").raise_for_status().json()["id"]
        client.post(f"/v1/jobs/{other}/cancel").raise_for_status()


def test_fifty_of_five_hundred_who_never_read_are_let_go_and_cost_next_to_nothing(busy: tuple[Server, str]) -> None:
    server, job_id = busy
    process = psutil.Process(server.process.pid)
    with gathered(f"{server.url}/v1/insights", READERS) as crowd:
        crowd.report()
        enough = metric(server, PUBLISHED) + 100
        wait_until(lambda: metric(server, PUBLISHED) > enough, "a hundred insights", 60)
        before = crowd.report()
        most = held = process.memory_info().rss
        with gathered(f"{server.url}/v1/insights", STALLED, STALLED):
            wait_until(lambda: metric(server, "sightline_subscribers") == READERS + STALLED, "the stalled to be there")
            began = time.monotonic()
            for _ in range(12):  # two facts and more each time
                make_facts(server, job_id)
            while metric(server, "sightline_subscribers") > READERS:
                make_facts(server, job_id)
                time.sleep(0.5)
                most = max(most, process.memory_info().rss)
            took = time.monotonic() - began
        after = crowd.report()
    print(f"others before {before['delay_ms']}, meanwhile {after['delay_ms']}")
    print(f"{(most - held) / STALLED / 1024:.0f} KB each, all let go after {took:.0f} s")
    assert most - held < STALLED * 1_000_000, "they cost more than a megabyte each"
    assert after["lost"] == 0, "somebody who reads was let go too"
    kept = numbers_kept(server)
    for told in after["facts"]:
        assert len(told) > 20
        assert told == [number for number in kept if told[0] <= number <= told[-1]]
    assert metric(server, "sightline_facts_dropped_total") == 0
    assert "Traceback" not in server.printed()


def test_who_reads_slowly_for_a_minute_gets_a_valid_feed_and_is_current_as_soon_as_it_reads(busy: tuple[Server, str]) -> None:
    server, job_id = busy
    address = f"{server.url}/v1/insights"
    limits = ["--limit-rate", str(BYTES_PER_S), "--max-time", str(MINUTE_S)]
    with subprocess.Popen(["curl", "-sN", *limits, address], stdout=subprocess.PIPE) as curl:
        wait_until(lambda: metric(server, "sightline_subscribers") == 1, "curl to be there")
        for _ in range(20):
            make_facts(server, job_id)
        took, _ = curl.communicate(timeout=MINUTE_S + 30)
    slowly = Parser().feed(took)
    hello, first = slowly[0], facts(slowly)
    print(f"{len(took)} bytes in a minute, with {len(slowly)} insights, {len(first)} of them facts")
    assert (hello.type, len(slowly) > 10) == ("hello", True)
    assert first, "not one fact came through: nothing can be taken up again"
    assert len(took) < 3 * MINUTE_S * BYTES_PER_S, "curl did not read slowly"
    with server.client() as client:
        done = client.get(f"/v1/jobs/{job_id}").json()["frames_done"]
    with follow(address, last_event_id=first[-1]) as stream:  # now it reads
        rest = stream.until(lambda event: event.type == "progress" and event.json["job_id"] == job_id)
    assert rest[0].json["resumed_from"] == first[-1]
    assert not [event for event in slowly + rest if event.type == "gap"], "so few facts need no gap"
    told = first + facts(rest)
    assert told == [number for number in numbers_kept(server) if (hello.id or 0) < number <= told[-1]]
    assert rest[-1].json["frames_done"] >= done, "what it is told is older than what was known before it read"


def facts(events: list[Event]) -> list[int]:
    """Numbers of the facts told."""
    return [event.id for event in events if event.id is not None and event.type != "hello"]


def numbers_kept(server: Server) -> list[int]:
    """Numbers of all facts there are."""
    with server.client() as client:
        jobs = client.get("/v1/jobs?limit=200").raise_for_status().json()["items"]
        pages = [client.get(f"/v1/jobs/{job['id']}/facts?limit=200").raise_for_status().json() for job in jobs]
    assert not any(page["next_cursor"] for page in pages)
    return sorted(fact["id"] for page in pages for fact in page["items"])
