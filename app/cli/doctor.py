"""`sightline doctor`: what works here and what does not, each line with its cure."""

import asyncio
import shutil
import sys
import time
from collections.abc import Iterator
from enum import StrEnum

import av
import click
import msgspec
import sqlalchemy as sa
from rich.console import Console
from rich.text import Text

from app.devices.inventory import Inventory, take_inventory
from app.domain.device import FallbackCode, Target
from app.domain.errors import NotReady
from app.engine.held import WorkerLimits
from app.engine.pool import Pool
from app.engine.vitals import standstill
from app.main import migrate_database
from app.registry.discover import Catalogue
from app.settings import Settings, bundled
from app.store.engine import Store, newest_version, schema_version, utc_now
from app.store.standing import movement

_CODECS = ("h264", "hevc", "vp9", "av1", "mpeg4", "mjpeg", "png")
_KINDS = {"sqlite": "SQLite", "postgresql": "Postgres"}
_LITTLE_BYTES = 2_000_000_000
_WORKER_S = 30.0


class Verdict(StrEnum):
    """What a line of the report says."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(msgspec.Struct, frozen=True):
    """One line: what was looked at, how it is, and what to do about it."""

    about: str
    verdict: Verdict
    message: str
    cure: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True)
def doctor(as_json: bool) -> None:
    """Say what can be done here; exits with 1 when something is a problem."""
    settings = Settings()
    findings = [
        *look_at_opencv(asyncio.run(take_inventory())), *look_at_codecs(), *look_at_database(settings), *look_at_disk(settings),
        *look_at_work(settings),
        *look_at_plugins(settings), asyncio.run(look_at_worker(settings)),
    ]  # fmt: skip
    if as_json:
        click.echo(msgspec.json.encode({"items": findings, "next_cursor": None}).decode())
    else:
        _show(Console(), findings)
    if any(finding.verdict is Verdict.PROBLEM for finding in findings):
        sys.exit(1)


def look_at_opencv(here: Inventory) -> Iterator[Finding]:
    """The OpenCV that is installed, and each target it could run networks on."""
    brought = here.opencv.distributions if here.opencv else ()
    if len(brought) > 1:
        cure = "Uninstall all of them, then install the one that you want: they overwrite each other's files."
        yield Finding("opencv", Verdict.PROBLEM, f"cv2 comes from several packages: {', '.join(brought)}.", cure)
    if here.opencv is None:
        yield Finding("opencv", Verdict.PROBLEM, here.problem or "OpenCV is missing.", "Set the environment up again.")
        return
    yield Finding("opencv", Verdict.OK, f"OpenCV {here.opencv.version} {_origin(brought)}.")
    if here.opencv.cuda is not None:
        yield Finding("opencv cuda", Verdict.OK, f"OpenCV's build says of CUDA: {here.opencv.cuda}.")
    yield Finding("cpu", Verdict.OK, f"{here.cpu.name}, {here.cpu.usable} of {here.cpu.cores} cores usable.")
    for target in here.targets:
        verdict = Verdict.OK if target.available else Verdict.WARNING
        cure = "" if target.available else "Networks run on the CPU instead; each job says so."
        yield Finding(f"target {target.target.value}", verdict, target.reason or "Networks can run there.", cure)
    yield from look_at_onnx_runtime(here)
    shown = ", ".join(gpu.name for gpu in here.gpus) or "none that NVIDIA's driver shows"
    yield Finding("gpu", Verdict.OK, f"{shown}; CUDA counts {here.cuda_devices}.")


def look_at_onnx_runtime(here: Inventory) -> Iterator[Finding]:
    """The second runtime, where it is installed; and why it has no CUDA, where it has none."""
    onnx = here.onnx_runtime
    if onnx is None or onnx.version is None:
        reason = onnx.targets[0].reason if onnx else "ONNX Runtime was not looked for."
        yield Finding("onnxruntime", Verdict.OK, f"It is optional: {reason}")
        return
    usable = ", ".join(state.target.value for state in onnx.targets if state.available)
    yield Finding("onnxruntime", Verdict.OK, f"ONNX Runtime {onnx.version} can run networks on {usable}.")
    for state in onnx.targets:
        if state.target is Target.CUDA and not state.available:
            meant = state.code is not FallbackCode.NOT_BUILT
            cure = "docs/CUDA.md says what CUDA needs; networks run on the CPU instead, and each job says so." if meant else ""
            yield Finding("onnxruntime cuda", Verdict.WARNING if meant else Verdict.OK, state.reason, cure)


def look_at_codecs() -> Iterator[Finding]:
    """What the decoder can read."""
    missing = [name for name in _CODECS if name not in av.codecs_available]
    if missing:
        yield Finding("codecs", Verdict.WARNING, f"Cannot decode {', '.join(missing)}.", "Install the PyAV wheel from PyPI.")
    else:
        yield Finding("codecs", Verdict.OK, f"PyAV {av.__version__} decodes {', '.join(_CODECS)}.")


def look_at_database(settings: Settings) -> Iterator[Finding]:
    """Whether the database answers, and is at the newest schema."""
    try:
        migrate_database(settings)
        store = Store(settings.database)
        try:
            version, newest = schema_version(store), newest_version(bundled("migrations"))
            kind = _KINDS[store.url.get_backend_name()]
        finally:
            store.close()
    except (NotReady, sa.exc.SQLAlchemyError, OSError) as error:
        cure = "Check SIGHTLINE_DATABASE_URL and SIGHTLINE_HOME, and that the folder can be written."
        reason = error.facts["reason"] if isinstance(error, NotReady) else error
        yield Finding("database", Verdict.PROBLEM, f"The database cannot be used: {reason}.", cure)
        return
    if version == newest:
        yield Finding("database", Verdict.OK, f"{kind} answers, at schema {version}.")
    else:
        yield Finding("database", Verdict.PROBLEM, f"{kind} is at schema {version}, not {newest}.", "Run sightline migrate.")


def look_at_work(settings: Settings) -> Iterator[Finding]:
    """Whether the server's jobs move, by what it committed and the leases it renewed."""
    store = Store(settings.database)
    try:
        with store.read() as tx:
            found = movement(tx)
    except (NotReady, sa.exc.SQLAlchemyError):
        return  # the database's own line says so
    finally:
        store.close()
    still = standstill(found, utc_now())
    if still:
        yield Finding("work", Verdict.PROBLEM, still, "Start sightline serve; if it runs, its /readyz says what is wrong.")
    else:
        yield Finding("work", Verdict.OK, f"{found.jobs} jobs move." if found.jobs else "No job waits to be done.")


def look_at_disk(settings: Settings) -> Iterator[Finding]:
    """Room for uploads and outputs."""
    free = shutil.disk_usage(settings.home).free
    message = f"{free / 1e9:.1f} GB are free in {settings.home}."
    little = free < _LITTLE_BYTES
    yield Finding(
        "disk", Verdict.WARNING if little else Verdict.OK, message, "Make room, or set SIGHTLINE_HOME." if little else ""
    )


def look_at_plugins(settings: Settings) -> Iterator[Finding]:
    """Plugins that cannot be used."""
    found = Catalogue.discover(settings.plugin_folders).found
    broken = [plugin for plugin in found.values() if plugin.broken]
    for plugin in broken:
        yield Finding(f"plugin {plugin.id}", Verdict.WARNING, str(plugin.reason), "Mend it, or take its folder away.")
    well = [plugin.id for plugin in found.values() if not plugin.broken]
    yield Finding("plugins", Verdict.OK if well else Verdict.PROBLEM, f"{len(well)} can be used: {', '.join(well)}.")


async def look_at_worker(settings: Settings) -> Finding:
    """Whether a worker process comes up."""
    said: list[str] = []
    ready = asyncio.Event()
    limits = WorkerLimits(settings.worker_memory_mb)
    pool = Pool(1, limits=limits, printed=lambda _job, text: said.append(text), changed=ready.set)
    started = time.perf_counter()
    await pool.start()
    try:
        async with asyncio.timeout(_WORKER_S):
            while not pool.load():
                await ready.wait()
                ready.clear()
    except TimeoutError:
        return Finding("worker", Verdict.PROBLEM, f"No worker came up: {''.join(said).strip()[-500:]}", "See the message.")
    finally:
        await pool.close()
    return Finding("worker", Verdict.OK, f"A worker is ready {(time.perf_counter() - started) * 1000:.0f} ms after its start.")


def _origin(brought: tuple[str, ...]) -> str:
    return f"from {', '.join(brought)}" if brought else "from no package: a build of its own"


def _show(console: Console, findings: list[Finding]) -> None:
    styles = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.PROBLEM: "red"}
    for finding in findings:
        line = Text.assemble((f"{finding.verdict.value:8}", styles[finding.verdict]), f"{finding.about}: {finding.message}")
        console.print(line, soft_wrap=True)
        if finding.cure:
            console.print(Text(f"         {finding.cure}", style="dim"), soft_wrap=True)
