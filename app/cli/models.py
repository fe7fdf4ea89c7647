"""`sightline models`: which model files the plugins need, which are here, and fetching those that are not."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from app.domain.errors import PullFailed, UnknownModel
from app.domain.plugin import ModelFile
from app.registry.discover import Catalogue
from app.registry.models import ModelShelf, known_models
from app.registry.pull import Told, is_whole, pull, take, tell_nobody
from app.settings import Settings

_NOT_FETCHED = 1


class _Known(NamedTuple):
    """A model a plugin names, and where it lies or would."""

    plugin: str
    model: ModelFile
    path: Path
    state: str | None


class ModelRow(msgspec.Struct, frozen=True):
    """A model as `models list --json` shows it; `state` says why it cannot be used, null where it is here."""

    name: str
    plugin: str
    present: bool
    state: str | None
    path: str
    sha256: str
    size: int
    url: str
    license: str


@click.group(invoke_without_command=True)
@click.pass_context
def models(context: click.Context) -> None:
    """List the model files plugins need, and fetch them."""
    if context.invoked_subcommand is None:
        context.invoke(list_models)


@models.command("list")
@click.option("--json", "as_json", is_flag=True)
def list_models(as_json: bool = False) -> None:
    """List every model a plugin names, with its size, its licence, and whether it is here."""
    known = _known(Settings())
    if as_json:
        click.echo(msgspec.json.encode({"items": [_row(one) for one in known], "next_cursor": None}).decode())
        return
    table = Table("name", "for", "size", "licence", "state")
    for plugin, model, _, state in known:
        shown = Text("here", style="green") if state is None else Text(state.removeprefix("is "), style="yellow")
        table.add_row(model.name, plugin, f"{model.size / 1e6:.1f} MB", model.license, shown)
    Console().print(table)
    if any(one.state for one in known):
        click.echo("Fetch one with: sightline models pull NAME (or all of them: --all)")


@models.command("pull")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every model that any plugin names.")
@click.option("--from", "copy", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="Take a local copy instead of asking the network.")  # fmt: skip
def pull_models(names: tuple[str, ...], everything: bool, copy: Path | None) -> None:
    """Fetch models by NAME (a plugin's id means all of its models), checked against the hash their plugin tells.

    Exits with 0 when all of them are here, 1 when one could not be fetched, 2 when it was asked for wrongly.
    """
    if bool(names) == everything:
        raise click.UsageError("Name what to fetch: either one or more models, or --all.")
    if copy is not None and len(names) != 1:
        raise click.UsageError("--from takes the one model that is named.")
    known = _known(Settings())
    wanted = known if everything else [one for name in names for one in _named(known, name)]
    if copy is not None and len({one.model for one in wanted}) != 1:
        raise click.UsageError(
            f"--from takes one model; {names[0]} has several: {', '.join(one.model.name for one in wanted)}."
        )
    console = Console(stderr=True)
    fetched = [_fetch(one, copy, console) for one in wanted]  # each is tried, also behind one that failed
    if not all(fetched):
        sys.exit(_NOT_FETCHED)


def _fetch(one: _Known, copy: Path | None, console: Console) -> bool:
    model = one.model
    if one.state is None and is_whole(model, one.path):
        click.echo(f"{model.name} is here already: {one.path}")
        return True
    click.echo(f"{model.name} for {one.plugin}: {model.size / 1e6:.1f} MB, {model.license}")
    click.echo(f"  SHA-256 {model.sha256}\n  from {copy or model.url}")
    columns = (TextColumn("  "), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
            shown = bar.add_task(model.name, total=model.size)
            _bring(one, copy, lambda here: bar.update(shown, completed=here))
    except PullFailed as failed:
        click.echo(f"sightline: {failed}", err=True)
        return False
    click.echo(f"  is here: {one.path}")
    return True


def _bring(one: _Known, copy: Path | None, told: Told = tell_nobody) -> None:
    if copy is None:
        pull(one.model, one.path, told)
    else:
        take(one.model, one.path, copy, told)


def _known(settings: Settings) -> list[_Known]:
    catalogue = Catalogue.discover(settings.plugin_folders, models=settings.models_folder)
    shelf: ModelShelf = catalogue.models
    return [
        _Known(plugin, model, shelf.path(plugin, model), shelf.state(plugin, model))
        for plugin, model in known_models(catalogue.found.values())
    ]


def _named(known: Iterable[_Known], name: str) -> list[_Known]:
    found = [one for one in known if name in (one.model.name, one.model.file, one.plugin)]
    if not found:
        names = ", ".join(dict.fromkeys(one.model.name for one in known)) or "none"
        raise UnknownModel(model=name, known=names)
    return found


def _row(one: _Known) -> ModelRow:
    model = one.model
    return ModelRow(
        model.name, one.plugin, one.state is None, one.state, str(one.path), model.sha256, model.size, model.url, model.license
    )
