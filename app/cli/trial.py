"""`sightline plugins test` and `sightline plugins bench`: a plugin held to its promises, in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.domain.errors import BrokenPlugin
from app.domain.plugin import PluginMetadata
from app.registry.discover import Catalogue
from app.registry.manifest import MANIFEST, read_manifest
from app.registry.options import read_option
from app.settings import Settings
from app.testing import CHECKS
from app.testing.bench import BenchRow
from app.testing.isolated import Asked, Checked, Refused, Timed, Verdict, carry_out

_FAILED: Final = 1
_STYLES: Final = {Verdict.OK: "green", Verdict.FAILED: "red", Verdict.SKIPPED: "dim"}


class CannotTest(BrokenPlugin):
    """A plugin cannot be tested as asked."""

    sentence = "{plugin} cannot be tested: {reason}"


@click.command()
@click.argument("plugin", metavar="ID|PATH")
@click.option("--check", "checks", multiple=True, type=click.Choice(CHECKS), help="Make only this check; may be given again.")
@click.option("--set", "options", multiple=True, metavar="OPTION=VALUE", help="Set an option of the plugin.")
@click.option("--device", default="cpu", show_default=True, help="auto, cuda, cuda:N, cuda_fp16, openvino, opencl or cpu.")
@click.option("--accept", is_flag=True, help="First write expected.json from what the plugin gives now.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Folder for pictures of failures.")
@click.option("--json", "as_json", is_flag=True)
def test(plugin: str, checks: tuple[str, ...], accept: bool, as_json: bool, **asked: Any) -> None:
    """Hold a plugin to what the engine relies on: its golden output, its types, its lifecycle, no leak, its budget.

    Exits with 0 when every check holds, 1 when one does not, 2 when there is no such plugin.
    """
    settings = Settings()
    folder, metadata = _find(plugin, settings)
    wanted = Asked(
        str(folder), _options(asked["options"], metadata), asked["device"], str(settings.models_folder),
        str((asked["out"] or settings.home / "failures").resolve()), checks or CHECKS, accept,
    )  # fmt: skip
    console, made = Console(soft_wrap=True, highlight=False), []
    for told in _carry_out(wanted, metadata.id):
        if isinstance(told, Checked):
            made.append(told)
            if not as_json:
                _show(console, told)
    if as_json:
        click.echo(
            json.dumps(
                {"items": [{name: getattr(one, name) for name in one.__struct_fields__} for one in made], "next_cursor": None}
            )
        )
    else:
        counts = [sum(one.verdict is verdict for one in made) for verdict in Verdict]
        click.echo("{}: {} ok, {} failed, {} skipped.".format(metadata.id, *counts))
    if any(one.verdict is Verdict.FAILED for one in made):
        sys.exit(_FAILED)


@click.command()
@click.argument("plugin", metavar="ID|PATH")
@click.option("--frames", type=click.IntRange(1, 1_000_000), default=300, show_default=True, help="Frames to time.")
@click.option(
    "--source", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A clip or picture, not the sample."
)
@click.option("--set", "options", multiple=True, metavar="OPTION=VALUE", help="Set an option of the plugin.")
@click.option("--threads", type=click.IntRange(1, 1024), default=1, show_default=True, help="Threads the plugin may use.")
@click.option("--json", "as_json", is_flag=True)
def bench(plugin: str, source: Path | None, as_json: bool, options: tuple[str, ...], **asked: int) -> None:
    """Time a plugin on each target it can use: p50, p95 and p99 of what a frame takes, against its budget."""
    settings = Settings()
    folder, metadata = _find(plugin, settings)
    wanted = Asked(
        str(folder), _options(options, metadata), models=str(settings.models_folder), bench=asked["frames"],
        source=str(source.resolve()) if source else None, threads=asked["threads"],
    )  # fmt: skip
    rows = [told.row for told in _carry_out(wanted, metadata.id) if isinstance(told, Timed)]
    if as_json:
        click.echo(json.dumps({"items": [msgspec.to_builtins(row) for row in rows], "next_cursor": None}))
    else:
        _show_bench(Console(), metadata, rows)


def _carry_out(asked: Asked, plugin_id: str) -> Iterator[Checked | Timed]:
    for told in carry_out(asked, printed=sys.stderr.fileno() if _has_descriptor() else subprocess.DEVNULL):
        if isinstance(told, Refused):
            if told.told:
                raise CannotTest(plugin=plugin_id, reason=told.told)
        else:
            yield told


def _has_descriptor() -> bool:
    try:
        sys.stderr.fileno()
    except (OSError, ValueError):  # standard error is replaced by something in memory
        return False
    return True


def _find(plugin: str, settings: Settings) -> tuple[Path, PluginMetadata]:
    """Find a plugin by its folder, or by its id among those found here; raises UnknownPlugin, BrokenPlugin, BadManifest."""
    folder = Path(plugin)
    if (folder / MANIFEST).is_file():
        return folder.resolve(), read_manifest(folder.resolve())
    catalogue = Catalogue.discover(settings.plugin_folders, models=settings.models_folder)
    return catalogue.folder(plugin), catalogue.get(plugin)


def _options(given: tuple[str, ...], metadata: PluginMetadata) -> dict[str, Any]:
    specs = {spec.name: spec for spec in metadata.options}
    options: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"--set wants OPTION=VALUE, not {text!r}.")
        options[name] = read_option(specs[name], value) if name in specs else value
    return options


def _show(console: Console, one: Checked) -> None:
    verdict = Text(f"{one.verdict:<8}", style=_STYLES[one.verdict])
    told = one.told.removeprefix(f"{one.check}: ")
    first, *rest = told.splitlines() or [""]
    console.print(Text.assemble(verdict, f"{one.check:<23} ", first))
    for line in rest:
        console.print(Text(f"        {line}"))


def _show_bench(console: Console, metadata: PluginMetadata, rows: list[BenchRow]) -> None:
    size = f"{rows[0].width}×{rows[0].height}" if rows else ""
    title = f"{metadata.name} {metadata.version}, {size}, budget {metadata.latency_budget_ms:g} ms"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("target", no_wrap=True)
    for name in ("frames", "p50 ms", "p95 ms", "p99 ms", "max ms"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict")
    for row in rows:
        numbers = [f"{value:.2f}" for value in (row.p50_ms, row.p95_ms, row.p99_ms, row.max_ms)] if row.frames else [""] * 4
        verdict = Text("over its budget", style="red") if row.over_budget else Text("within its budget", style="green")
        table.add_row(row.target, str(row.frames or ""), *numbers, verdict if row.frames else Text(row.reason, style="dim"))
    console.print(table)
