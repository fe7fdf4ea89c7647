"""The feed behind a real nginx, with the configuration that is in docs: at once, resumable, and let go when a client leaves."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import ROOT, Server, Servers, wait_until, write_clip
from tests.sse import follow

pytestmark = pytest.mark.nginx
NAME, TOKEN = "sightline.example", "a secret for nginx"
SLOW = '{"stages": [{"plugin": "brightness", "options": {"ms": 20}}]}'
SETTINGS = {
    "SIGHTLINE_WORKERS": "2", "SIGHTLINE_PLUGINS_PATH": str(ROOT / "tests" / "plugins"),
    "SIGHTLINE_HOSTS": NAME, "SIGHTLINE_TOKEN": TOKEN,
}  # fmt: skip
HEADERS = {"Host": NAME, "Authorization": f"Bearer {TOKEN}"}


@dataclass
class Proxied:
    """A server behind nginx: `url` is nginx's."""

    server: Server
    url: str

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send one request through nginx."""
        headers = {**HEADERS, **options.pop("headers", {})}
        with httpx.Client(base_url=self.url, trust_env=False, timeout=30) as client:
            return client.request(method, path, headers=headers, **options)

    def subscribers(self) -> int:
        """Give the number of the server's subscribers."""
        lines = self.ask("GET", "/metrics").text.splitlines()
        return int(float(next(line.split()[-1] for line in lines if line.startswith("sightline_subscribers "))))

    def submit(self, clip: Path, **fields: str) -> str:
        """Upload a file as a job; give its id."""
        with clip.open("rb") as file:
            answer = self.ask("POST", "/v1/jobs", files={"file": (clip.name, file)}, data=fields)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return str(answer.json()["id"])


def free_port() -> int:
    """Give a port that is free at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def configuration(folder: Path, port: int, server: Server) -> Path:
    """Write what nginx needs around the snippet of the docs, which is changed only where a reader has to change it."""
    snippet = (ROOT / "docs" / "nginx.conf").read_text()
    for given, here in (("listen 80;", f"listen 127.0.0.1:{port};"), ("127.0.0.1:8000", server.url.removeprefix("http://"))):
        assert snippet.count(given) == 1, given
        snippet = snippet.replace(given, here)
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    user = "user root;\n" if os.geteuid() == 0 else ""  # else a worker of root's nginx cannot enter the test's folder
    path = folder / "nginx.conf"
    path.write_text(
        f"{user}pid {folder}/pid;\nerror_log {folder}/error.log;\nworker_processes 1;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}{snippet}}}\n"
    )
    return path


@pytest.fixture(scope="module")
def proxied(module_servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    """A server behind nginx."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("there is no nginx here (apt-get install nginx)")
    server = module_servers.start(env=SETTINGS)
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    path = configuration(folder, port, server)
    command = [nginx, "-p", str(folder), "-c", str(path), "-e", str(folder / "error.log"), "-g", "daemon off;"]
    with subprocess.Popen(command) as process:
        started = Proxied(server, f"http://127.0.0.1:{port}")
        try:
            wait_until(lambda: _answers(port), "nginx to listen")
            yield started
        finally:
            process.terminate()
            process.wait(20)
    assert "[emerg]" not in (folder / "error.log").read_text()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_job_is_told_through_nginx_from_hello_to_close_while_it_runs(proxied: Proxied, tmp_path: Path) -> None:
    job_id = proxied.submit(write_clip(tmp_path / "clip.mp4", frames=150), pipeline=SLOW)
    seen: list[str] = []
    running_when_told = False
    with follow(f"{proxied.url}/v1/jobs/{job_id}/insights", headers=HEADERS) as stream:
        assert stream.response.headers["server"].startswith("nginx")
        for event in stream:
            seen.append(event.type)
            if event.type == "overlay" and not running_when_told:
                running_when_told = proxied.ask("GET", f"/v1/jobs/{job_id}").json()["status"] == "running"
                picture = proxied.ask("GET", event.json["image_url"])
                assert picture.headers["content-type"] == "image/jpeg"
    assert running_when_told, "what is told of a running job came when it had ended: nginx held it back"
    assert (seen[0], seen[-1]) == ("hello", "close")
    last = event.json["reason"]
    assert last == "completed"
    answer = proxied.ask("GET", f"/v1/jobs/{job_id}/insights", headers={"Last-Event-ID": "99999"})
    assert answer.status_code == 200  # a number never given: told as a gap, not as the end


def test_a_subscriber_resumes_through_nginx_and_is_gone_when_it_leaves(proxied: Proxied, tmp_path: Path) -> None:
    job_id = proxied.submit(write_clip(tmp_path / "clip.mp4", frames=60), pipeline=SLOW)
    address = f"{proxied.url}/v1/jobs/{job_id}/insights"
    with follow(f"{address}?types=status", headers=HEADERS) as stream:
        hello = next(iter(stream))
    wait_until(lambda: proxied.subscribers() == 0, "the server to notice that the subscriber left")
    with follow(address, last_event_id=hello.id, headers=HEADERS) as stream:
        events = list(stream)
    assert events[0].json["resumed_from"] == hello.id
    ended = max(event.id or 0 for event in events)
    with follow(f"{proxied.url}/live?page=job&job={job_id}", last_event_id=ended, headers=HEADERS) as stream:
        assert [event.data for event in stream if event.type != "message"] == ["completed"]
    over = proxied.ask("GET", f"/v1/jobs/{job_id}/insights", headers={"Last-Event-ID": str(ended)})
    assert over.status_code == httpx.codes.NO_CONTENT


def test_a_large_upload_and_a_form_of_its_own_page_pass_and_a_foreign_name_does_not(
    proxied: Proxied, make_clip: Callable[..., Path]
) -> None:
    padded = make_clip("padded.mp4", frames=10)
    with padded.open("ab") as file:
        file.write(b"\0\0\0\x08free" * 400_000)  # boxes a player passes over: 3.2 MB, over nginx's own limit
    job_id = proxied.submit(padded, plugins="brightness")
    moved = proxied.ask(
        "POST", f"/jobs/{job_id}/cancel", headers={"Origin": f"https://{NAME}", "Sec-Fetch-Site": "same-origin"}
    )
    assert moved.status_code in {303, 409}
    foreign = proxied.ask("POST", f"/jobs/{job_id}/cancel", headers={"Origin": "https://other.example"})
    assert foreign.status_code == httpx.codes.FORBIDDEN
    assert proxied.ask("GET", "/v1/jobs", headers={"Host": "other.example"}).status_code == httpx.codes.FORBIDDEN
