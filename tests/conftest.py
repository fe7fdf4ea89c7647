"""Fixtures every part shares: a real server in a process of its own, a real Chromium, real media, and the real inputs."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
import httpx
import numpy as np
import psutil
import pytest

from tests.chromium import NoChromium, launched
from tests.postgres import KEPT, NoPostgres, Postgres, database_of, running
from tests.ran import record

ROOT = Path(__file__).parents[1]
IN_CI = bool(os.environ.get("CI") or os.environ.get("SIGHTLINE_CI"))
PATIENCE_S = 60.0  # how long a test waits for something to come about before it calls it broken
MUST_RUN_IN_CI = ("browser", "nginx", "postgres")
TEST_POSTGRES = "SIGHTLINE_TEST_POSTGRES"  # address of a Postgres to use instead of starting one


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say where servers and commands under test keep their rows, and let `make pictures` keep what the stories look like."""
    parser.addoption("--accept-baselines", action="store_true", help="keep the stories' pictures of now instead of comparing")
    parser.addoption(
        "--database", choices=["sqlite", "postgres"], default="sqlite", help="what servers and commands under test keep rows in"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Record what a whole run runs, for `sightline check requirements`."""
    record(config, ROOT)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Turn a skip into a failure in CI where what is missing can be installed."""
    report = yield
    needs = [name for name in MUST_RUN_IN_CI if item.get_closest_marker(name)]
    if IN_CI and report.skipped and needs and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} must not skip in CI, where its {needs[0]} can be installed: {reason}"
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by what they use, so that nobody has to remember: `-m browser`, `-m shared`."""
    for item in items:
        used = getattr(item, "fixturenames", ())
        for fixture in ("browser", "shared", "postgres"):
            if fixture in used:
                item.add_marker(fixture)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A Postgres for the whole run, started by the tests themselves or named by SIGHTLINE_TEST_POSTGRES."""
    given = os.environ.get(TEST_POSTGRES)
    with contextlib.ExitStack() as until_the_end:
        try:
            yield Postgres(given) if given else until_the_end.enter_context(running())
        except NoPostgres as reason:
            pytest.skip(f"no Postgres can be started: {reason}")


@pytest.fixture(scope="session", autouse=True)
def _kept(request: pytest.FixtureRequest) -> None:
    """Have servers and commands under test keep their rows where `--database` says."""
    if request.config.getoption("--database") == "postgres":
        KEPT.postgres = request.getfixturevalue("postgres")


@pytest.fixture(autouse=True)
def _dropped(request: pytest.FixtureRequest) -> Iterator[None]:
    """Drop a test's databases behind it: set up before all else, this ends last."""
    folder = request.getfixturevalue("tmp_path") if KEPT.postgres else None
    yield
    if folder is not None:
        KEPT.drop(folder)


def wait_until(seen: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Ask again and again until the answer is true, and give it; fail with `what` when it never is."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        if answer := seen():
            return answer
        time.sleep(0.05)
    pytest.fail(f"waited {patience_s:g} s in vain for {what}")


@pytest.fixture(name="wait_until", scope="session")
def _wait_until() -> Callable[..., Any]:
    """Hand `wait_until(seen, what)` to tests."""
    return wait_until


@pytest.fixture
def shared() -> Path:
    """Folder of the real videos and models beside the project; skips where a machine has none."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real videos and models are not beside the project (../shared/data)")
    return folder


@dataclass
class Server:
    """A running `sightline serve`: its address, its home folder, and what it printed."""

    process: subprocess.Popen[bytes]
    url: str
    home: Path
    log: Path

    def client(self, **options: Any) -> httpx.Client:
        """Open a client of this server; close it in the test."""
        return httpx.Client(base_url=self.url, timeout=30, trust_env=False, **options)

    def printed(self) -> str:
        """Give everything the server printed so far."""
        return self.log.read_text(errors="replace")

    def processes(self) -> list[psutil.Process]:
        """List the server and everything it started that still runs, also what outlived its parent."""
        return running_in(self.process.pid)

    def stop(self, how: signal.Signals = signal.SIGTERM, patience_s: float = 20.0) -> int:
        """Ask the server to end, wait until it has, and give its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the server did not end within {patience_s:g} s of {how.name}; it printed:\n{self.printed()}")


def running_in(session: int) -> list[psutil.Process]:
    """List the processes that still run in a session of ours (a process started with a session of its own)."""
    mine = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                mine.append(process)
        except (psutil.Error, OSError):  # it ended while we looked
            continue
    return mine


def sweep(session: int, patience_s: float = 5.0) -> list[str]:
    """Wait for a session to be empty; kill what is left of it and say what it was."""
    until = time.monotonic() + patience_s  # workers notice the end of their parent by themselves
    while running_in(session) and time.monotonic() < until:
        time.sleep(0.05)
    left = []
    for process in running_in(session):
        with contextlib.suppress(psutil.NoSuchProcess):
            left.append(f"{process.pid} {' '.join(process.cmdline())}")
            process.kill()
    return left


class Servers:
    """Starts real servers, each in a session of its own, and ends them with nothing left behind."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[Server] = []

    def start(
        self,
        *arguments: str,
        home: Path | None = None,
        env: dict[str, str] | None = None,
        port: int = 0,
        command: tuple[str, ...] = (sys.executable, "-m", "app"),
    ) -> Server:
        """Serve from a folder that is not the checkout, and wait until the server says it is ready for work."""
        number = len(self._running)
        home = home or self._folder / f"home{number}"
        log = self._folder / f"server{number}.log"
        elsewhere = self._folder / "elsewhere"
        elsewhere.mkdir(exist_ok=True)
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [*command, "serve", "--port", str(port), *arguments],
                cwd=elsewhere,
                env=environment(home, env),
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        server = Server(process, "", home, log)
        self._running.append(server)
        server.url = self._address(server)
        token = (env or {}).get("SIGHTLINE_TOKEN", "")
        wait_until(lambda: self._ready(server, token), "the server to be ready")
        return server

    @staticmethod
    def _address(server: Server) -> str:
        def said() -> str | None:
            if server.process.poll() is not None:
                pytest.fail(f"the server ended with {server.process.returncode}; it printed:\n{server.printed()}")
            lines = server.printed().splitlines()
            return next((line.split()[-1] for line in lines if line.startswith("Sightline is at ")), None)

        return wait_until(said, f"the server to say its address ({server.log})")

    @staticmethod
    def _ready(server: Server, token: str) -> bool:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            return httpx.get(f"{server.url}/readyz", headers=headers, timeout=5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def close(self) -> None:
        """End every server; fail when one leaves a process behind."""
        left = []
        for server in self._running:
            try:
                server.stop()
            finally:
                left += sweep(server.process.pid)
        assert not left, f"processes were left behind: {left}"


def environment(home: Path, extra: dict[str, str] | None = None) -> dict[str, str]:
    """Environment of a Sightline process under test: no setting from outside, its own home."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SIGHTLINE_")}
    kept = {"SIGHTLINE_DATABASE_URL": database_of(home)} if KEPT.postgres else {}
    return inherited | {"SIGHTLINE_HOME": str(home), "PYTHONUNBUFFERED": "1"} | kept | (extra or {})


@pytest.fixture
def sightline(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line to its end, from a folder that is not the checkout: `sightline("run", clip, "--plugin", ID)`."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(exist_ok=True)

    def run(
        *arguments: object,
        home: Path | None = None,
        env: dict[str, str] | None = None,
        patience_s: float = PATIENCE_S,
        **options: Any,
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "app", *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
        where = environment(home or tmp_path / "home", env)
        with subprocess.Popen(command, cwd=elsewhere, env=where, **pipes | options) as process:
            try:
                said, complained = process.communicate(timeout=patience_s)
            finally:
                process.kill()
                left = sweep(process.pid)
        assert not left, f"processes were left behind: {left}"
        return subprocess.CompletedProcess(command, process.returncode, said, complained)

    return run


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """Start as many servers as a test needs: `servers.start("--demo", env={…})`."""
    started = Servers(tmp_path)
    yield started
    started.close()


@pytest.fixture
def server(servers: Servers) -> Server:
    """One server with an empty history."""
    return servers.start()


@pytest.fixture(scope="module")
def module_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Start servers that live as long as the module's tests."""
    started = Servers(tmp_path_factory.mktemp("servers"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def module_server(module_servers: Servers) -> Server:
    """One server for all the tests of a module that do not mind each other's jobs."""
    return module_servers.start()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real Chromium. It lives as long as a module: while it runs, its thread can start no other event loop."""
    with contextlib.ExitStack() as until_the_end:
        try:
            yield until_the_end.enter_context(launched())
        except NoChromium as reason:
            pytest.skip(str(reason))


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained of: console errors, page errors, requests to another host. Must be empty at the end."""
    return []


_STYLED = "[...document.querySelectorAll('link[rel=stylesheet]')].every(link => link.sheet)"


@pytest.fixture
def open_page(browser: Any, complaints: list[str]) -> Iterator[Callable[..., Any]]:
    """Open an address in a context of its own: `open_page(url, java_script_enabled=False, viewport=…)` gives the Page."""
    contexts = []

    def open_(url: str, **options: Any) -> Any:
        home = urlsplit(url).netloc
        context = browser.new_context(**options)
        contexts.append(context)

        def guard(route: Any) -> None:
            if urlsplit(route.request.url).netloc in ("", home):
                route.continue_()
                return
            complaints.append(f"asked another host: {route.request.url}")
            route.abort()

        context.route("**/*", guard)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        page.on("console", lambda said: complaints.append(f"console: {said.text}") if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(f"page error: {error}"))
        page.goto(url, wait_until="domcontentloaded")
        wait_until(lambda: page.evaluate(_STYLED), "the page to have its styles")  # with scripts off nothing waits for them
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not complaints, "the browser complained:\n" + "\n".join(complaints)


def moving_square(index: int, width: int, height: int) -> np.ndarray:
    """Draw one frame, BGR: a textured background and a bright square that moves 3 pixels a frame."""
    rows, columns = np.mgrid[0:height, 0:width]
    picture = np.stack([(columns * 3 + rows) % 97, (rows * 2) % 113, (columns + 2 * rows) % 89], axis=2).astype(np.uint8)
    side = max(8, height // 5)
    left, top = (index * 3) % max(1, width - side), height // 3
    picture[top : top + side, left : left + side] = (40, 220, 250)
    return picture


def write_clip(
    path: Path, *, frames: int = 90, size: tuple[int, int] = (160, 120), fps: int = 30, codec: str = "libx264"
) -> Path:
    """Write a real video of `moving_square` with PyAV; the container goes by the suffix, a keyframe stands every 30 frames."""
    width, height = size
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = 30
        for index in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(moving_square(index, width, height), format="bgr24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def make_clip(tmp_path: Path) -> Callable[..., Path]:
    """Write a clip into the test's folder: `make_clip("long.mkv", frames=300, size=(320, 240), fps=25)`."""

    def make(name: str = "clip.mp4", **options: Any) -> Path:
        return write_clip(tmp_path / name, **options)

    return make


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 90 frames, 160×120, 30 a second, with one square that moves. Read only."""
    return write_clip(tmp_path_factory.mktemp("clip") / "moving square.mp4")


@pytest.fixture(scope="session")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PNG picture of 160×120. Read only."""
    import cv2

    path = tmp_path_factory.mktemp("still") / "square.png"
    assert cv2.imwrite(str(path), moving_square(10, 160, 120))
    return path
