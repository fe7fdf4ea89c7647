"""docs/FEED.md keeps its word: every example in it is taken out and run against a real server."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.client import Client, Job
from app.domain.insight import INSIGHT_TYPES
from app.web.feed_query import FILTERS
from tests.conftest import IN_CI, ROOT, Server, Servers, environment
from tests.relay import cutting_relay

PAGE = (ROOT / "docs" / "FEED.md").read_text()
ADDRESS, JOB_ID = "http://127.0.0.1:8000", "019b7d2f4a6e3c51"  # as the page writes them


class Example(NamedTuple):
    """A block of the page: its language and its code."""

    language: str
    code: str

    @property
    def name(self) -> str:
        """What it is about, by its first telling line."""
        return f"{self.language}: {max(self.code.splitlines()[:3], key=len).strip()[:50]}"


EXAMPLES = [Example(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]
SAID = {  # what each prints, by words that only it has in it
    "JOB=$(curl": ['{"at":', "event: close", '"reason":"completed"'],
    "until [[": ['"resumed_from":null', '"reason":"completed"'],
    "sightline watch": ["motion_mog2 runs on cpu: "],
    "sed -un": ["100 % of 150 frames"],
    "case Status()": ["completed", "100 %", "it ended as completed", "'motion_mog2': "],
    "labels=": ["/frames/", "Detection(label='red circle'", "completed"],
    "connect_sse": ["hello {", "status {", "close {"],
    "subscribers: (": ['"subscribers": 0', '"furthest_behind_ms": 0'],
    "/metrics": ["sightline_subscribers 0.0", "sightline_insights_published_total"],
    "EventSource(": ["so far", "%", "it ended as completed"],
}


@pytest.fixture(scope="module")
def house(module_servers: Servers) -> Server:
    """One server."""
    return module_servers.start()


@pytest.fixture(scope="module")
def job(house: Server) -> Job:
    """The job that the examples follow: at first it runs, for the later ones it has ended."""
    with Client(house.url) as client:
        return client.submit(ROOT / "samples" / "shapes.mp4", plugins="motion_mog2")


@pytest.fixture
def where(house: Server, job: Job, tmp_path: Path) -> dict[str, str]:
    """The environment of an example: the server, the job, and the `sightline` of this environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return environment(tmp_path, {"SIGHTLINE_URL": house.url, "JOB": job.id, "PATH": path})


def told_of(example: Example) -> list[str]:
    """What an example is to print."""
    (words,) = [said for mark, said in SAID.items() if mark in example.code]
    return words


def run(command: list[str], env: dict[str, str], example: Example) -> None:
    """Run an example from the checkout's root, where its sample lies, and hold it to what it is to print."""
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    for words in told_of(example):
        assert words in done.stdout, f"{words!r} is not in what it printed:\n{done.stdout[-2000:]}"


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.language in {"sh", "bash"}], ids=lambda e: e.name)
def test_every_shell_example_does_what_it_says(example: Example, where: dict[str, str], house: Server) -> None:
    for tool in ("curl", "jq", "bash"):
        if tool in example.code + example.language and shutil.which(tool) is None:
            (pytest.fail if IN_CI else pytest.skip)(f"{tool} is not here (apt-get install {tool})")
    run([example.language, "-ec", example.code.replace(ADDRESS, house.url)], where, example)


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.language == "python"], ids=lambda e: e.name)
def test_every_python_example_does_what_it_says(example: Example, where: dict[str, str], house: Server) -> None:
    run([sys.executable, "-W", "error", "-c", example.code.replace(ADDRESS, house.url)], where, example)


@pytest.mark.parametrize("example", [e for e in EXAMPLES if "204" in e.code], ids=lambda e: e.name)
def test_a_script_that_is_cut_while_it_is_told_how_things_stand_is_told_all_of_it(
    example: Example, where: dict[str, str], house: Server, job: Job
) -> None:
    with Client(house.url) as client:
        client.wait(job, timeout_s=60)
    with house.client() as api:
        facts = api.get(f"/v1/jobs/{job.id}/facts").raise_for_status().json()["items"]
    with cutting_relay(house.url, step=700) as address:
        code = re.sub(r"sleep\b( 1|\(1\))", lambda found: found[0].replace("1", "0.05"), example.code.replace(ADDRESS, address))
        command = [sys.executable, "-c"] if example.language == "python" else [example.language, "-ec"]
        env = where | {"SIGHTLINE_URL": address}
        done = subprocess.run([*command, code], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count('"resumed_from"') > 2, "nothing was cut"
    assert [fact for fact in facts if fact["at"] not in done.stdout] == []


def test_every_javascript_example_does_what_it_says(
    house: Server, job: Job, open_page: Callable[..., Any], wait_until: Callable[..., Any]
) -> None:
    (example,) = [e for e in EXAMPLES if e.language == "js"]
    page = open_page(f"{house.url}/devices")
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.evaluate(example.code.replace(JOB_ID, job.id))

    def ended() -> bool:
        page.wait_for_timeout(50)  # lets the browser's messages in
        return any("it ended" in line for line in said)

    wait_until(ended, "the end of the job in the page")
    for words in told_of(example):
        assert any(words in line for line in said), f"{words!r} was not said: {said}"


def test_the_page_holds_every_example_there_is_and_names_every_type_and_filter() -> None:
    assert {e.language for e in EXAMPLES} == {"sh", "bash", "python", "js"}
    assert len(EXAMPLES) == len(SAID)
    for example in EXAMPLES:
        assert told_of(example)
    assert [kind.type for kind in INSIGHT_TYPES if f"`{kind.type}`" not in PAGE] == []
    assert [name for name in ("job", *FILTERS) if f"`{name}=" not in PAGE] == []
