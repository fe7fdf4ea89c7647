"""`sightline run`: one job with no server, a progress bar, then where the time went and which device really ran."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import click
import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from app.actions.cancel import cancel
from app.actions.draft import Draft, with_saved_stages
from app.actions.source import open_path, open_url
from app.actions.submit import submit
from app.cli.pipelines import is_saved_name, read_pipeline_file
from app.cli.tables import show_job
from app.domain.errors import BadField
from app.domain.insight import Insight, Metrics
from app.domain.insight import Progress as Told
from app.domain.job import Job, Pace
from app.domain.media import SourceRef
from app.domain.pipeline import number_stage_ids
from app.engine.holder import name_of_this_process
from app.main import Engine, Stores, Voice, open_stores, run_engine
from app.registry.options import read_option
from app.settings import Settings
from app.store import jobs, segments
from app.web.schemas import JobDocument, job_document

_JOB_FAILED: Final = 1
_MANY: Final = 1_000_000
_LOOK_S: Final = 1.0
_PATIENCE_S: Final = 10.0


@dataclass(slots=True)
class _Watched:
    """What the engine tells while the job runs."""

    rung: asyncio.Event = field(default_factory=asyncio.Event)
    progress: Told | None = None
    fps: float = 0.0

    def publish(self, insight: Insight) -> None:
        """Keep the newest progress and speed."""
        if isinstance(insight, Told):
            self.progress = insight
        elif isinstance(insight, Metrics):
            self.fps = insight.fps
        self.rung.set()

    def put(self, job_id: str, frame_index: int, jpeg: bytes) -> None:
        """Nobody looks at pictures here."""


class _Concerns:
    """Tells once why a job does not go on: what a server says at /readyz, a run says itself."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._since: dict[str, float] = {}
        self._told: set[str] = set()

    def news(self, now: float) -> list[str]:
        """Give the reasons to tell: those of parts that have not been well for a while. `now`: seconds of any clock."""
        found = {"pool": self._engine.pool.trouble, "dispatcher": self._engine.dispatcher.trouble}
        ill = {part: reason for part, reason in found.items() if reason}
        self._since = {part: self._since.get(part, now) for part in ill}
        self._told &= ill.keys()
        news = [part for part, since in self._since.items() if part not in self._told and now - since >= _PATIENCE_S]
        self._told.update(news)
        return [ill[part] for part in news]


@click.command()
@click.argument("source")
@click.option("--plugin", "plugins", metavar="ID[,ID…]", help="Plugins to run, in order.")
@click.option("--pipeline", metavar="NAME|FILE.json", help="A saved pipeline, or one in a file, instead of plugins.")
@click.option("--device", default="auto", show_default=True, help="auto, cuda, cuda:N, cuda_fp16, openvino, opencl or cpu.")
@click.option("--strict-device", is_flag=True, help="Fail rather than run on another device.")
@click.option("--set", "settings_", multiple=True, metavar="STAGE.OPTION=VALUE", help="Set an option of a stage.")
@click.option("--pace", type=click.Choice([pace.value for pace in Pace]), default="max", show_default=True)
@click.option("--loop", type=click.IntRange(1, 100_000), default=1, show_default=True, help="Passes over the source.")
@click.option("--name", default="", help="Name of the job.")
@click.option("--json", "as_json", is_flag=True, help="Print exactly the job object.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Write frames.ndjson and job.json there.")  # fmt: skip
def run(source: str, plugins: str | None, pipeline: str | None, as_json: bool, out: Path | None, **asked: Any) -> None:
    """Run one job on SOURCE with no server; it stays in the same history.

    Exits with 0 when the job completed, 1 when it failed or was cancelled, 2 when it could not be started as asked.
    """
    if (plugins is None) == (pipeline is None):
        raise click.UsageError("Name what to run: either --plugin ID[,ID…] or --pipeline NAME|FILE.json.")
    stages = None if pipeline is None or is_saved_name(pipeline) else read_pipeline_file(pipeline)
    frames = _source(source)
    draft = Draft(
        source=frames,
        stages=stages,
        saved=pipeline if stages is None else None,
        plugins=tuple(part.strip() for part in (plugins or "").split(",") if part.strip()),
        device=asked["device"], strict_device=asked["strict_device"], pace=Pace(asked["pace"]), loop=asked["loop"],
        name=asked["name"] or frames.name, runner=name_of_this_process(),
        model_roots=(Path("/"),),
    )  # fmt: skip
    settings = Settings()
    document = uvloop.run(_run(settings, draft, asked["settings_"], as_json=as_json, out=out))
    if as_json:
        click.echo(document.model_dump_json())
    else:
        show_job(Console(), document)
    if not document.status.succeeded:
        sys.exit(_JOB_FAILED)


async def _run(settings: Settings, draft: Draft, options: tuple[str, ...], *, as_json: bool, out: Path | None) -> JobDocument:
    watched, loop = _Watched(), asyncio.get_running_loop()

    def ring() -> None:
        loop.call_soon_threadsafe(watched.rung.set)

    async with open_stores(settings) as stores:
        draft = with_saved_stages(draft, stores.store)
        draft = replace(draft, set_options=_read_options(options, draft, stores))
        job, _ = await submit(draft, store=stores.store, catalogue=stores.catalogue, max_queued=_MANY, wake=_no_wake)
        voice = Voice(watched.publish, lambda _job_id: False, watched, ring)
        async with run_engine(settings, stores, voice, runner=draft.runner) as engine:
            quiet = as_json or not sys.stderr.isatty()
            concerns = _Concerns(engine)
            job = await _follow(stores, job, watched, concerns, wake=engine.dispatcher.wake, quiet=quiet)
        with stores.store.read() as tx:
            document = job_document(tx, job)
        if out is not None:
            await asyncio.to_thread(_write_out, stores, document, out)
    return document


def _no_wake() -> None:
    """The dispatcher is started after the job is stored: nobody has to be woken."""


async def _follow(
    stores: Stores, job: Job, watched: _Watched, concerns: _Concerns, *, wake: Callable[[], None], quiet: bool
) -> Job:
    """Show how the job goes until it has ended; Ctrl-C cancels it."""

    def stop() -> None:
        cancel(job.id, store=stores.store, wake=wake)

    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop)
    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[fps]:.1f} fps"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as bar:
        shown = bar.add_task(job.name, total=job.frames_total, fps=0.0)
        while not job.status.ended:
            with suppress(TimeoutError):
                await asyncio.wait_for(watched.rung.wait(), _LOOK_S)
            watched.rung.clear()
            if watched.progress is not None:
                bar.update(shown, completed=watched.progress.frames_done, fps=watched.fps)
            job = await asyncio.to_thread(_look, stores, job.id)
            for reason in concerns.news(time.monotonic()):
                told = f"{reason} The job goes on by itself as soon as that is mended; Ctrl-C cancels it."
                bar.console.print(told, soft_wrap=True, markup=False, highlight=False)
    return job


def _look(stores: Stores, job_id: str) -> Job:
    with stores.store.read() as tx:
        return jobs.get(tx, job_id)


def _source(source: str) -> SourceRef:
    if "://" in source:
        return open_url(source, allow_private=True)  # whoever runs this can reach it anyway
    return open_path(str(Path(source).expanduser().absolute()), (Path("/"),))


def _read_options(options: tuple[str, ...], draft: Draft, stores: Stores) -> dict[str, dict[str, Any]]:
    """Read `stage.option=value`, each value as its plugin declares the option."""
    if draft.stages is not None:
        plugin_of = {stage.id: stage.plugin for stage in draft.stages}
    else:
        plugin_of = dict(zip(number_stage_ids(draft.plugins), draft.plugins, strict=True))
    given: dict[str, dict[str, Any]] = {}
    for text in options:
        left, equals, value = text.partition("=")
        stage, dot, option = left.strip().rpartition(".")
        if not (equals and dot and stage):
            raise BadField(field="--set", actual=text, expected="STAGE.OPTION=VALUE")
        if stage not in plugin_of:
            raise BadField(field="--set", actual=text, expected=f"a stage of the pipeline ({', '.join(plugin_of)})")
        specs = {spec.name: spec for spec in stores.catalogue.get(plugin_of[stage]).options}
        given.setdefault(stage, {})[option] = read_option(specs[option], value) if option in specs else value
    return given


def _write_out(stores: Stores, document: JobDocument, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "job.json").write_text(document.model_dump_json(indent=2) + "\n", encoding="utf-8")
    with stores.store.read() as tx:
        committed = segments.committed(tx, document.id)
    places = [(segment.rows, segment.start, segment.end) for segment in committed if segment.rows]
    with (out / "frames.ndjson").open("wb") as rows:
        for line in stores.storage.read_rows(document.id, places, 0, document.frames_total or sys.maxsize):
            rows.write(line)
