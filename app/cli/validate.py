"""`sightline plugins validate` and `sightline plugins schema`: what a plugin's folder is held to."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.text import Text

from app.domain.finding import Finding, Severity
from app.registry.manifest import MANIFEST, manifest_schema
from app.registry.validate import validate_whole
from app.settings import Settings
from app.web.schemas_plugins import FindingDocument

_ERRORS_FOUND: Final = 1
_STYLES: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


@click.command()
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--strict", is_flag=True, help="Let warnings count as errors.")
@click.option("--json", "as_json", is_flag=True)
def validate(path: Path, strict: bool, as_json: bool) -> None:
    """Hold the plugin in the folder PATH, or every plugin in it, to the rules; its code is imported in a process of its own.

    Exits with 0 when the plugin can be used, 1 when a rule found an error, 2 when there is no plugin.
    """
    folders = list(_folders(path))
    if not folders:
        raise click.UsageError(f"There is no {MANIFEST} in {path}, nor in a folder within it.")
    found = [(folder, finding) for folder in folders for finding in _examine(folder)]
    if as_json:
        items = [FindingDocument.of(finding).model_dump(mode="json") | {"plugin": folder.name} for folder, finding in found]
        click.echo(json.dumps({"items": items, "next_cursor": None}))
    else:
        _show(folders, found)
    if any(strict or finding.severity is Severity.ERROR for _, finding in found):
        sys.exit(_ERRORS_FOUND)


@click.command()
def schema() -> None:
    """Print the JSON schema of plugin.toml."""
    click.echo(json.dumps(manifest_schema(), indent=2))


def _folders(path: Path) -> Iterator[Path]:
    path = path.resolve()
    if (path / MANIFEST).is_file():
        yield path
    else:
        yield from sorted(folder.parent for folder in path.glob(f"*/{MANIFEST}"))


def _examine(folder: Path) -> tuple[Finding, ...]:
    return validate_whole(folder, models=Settings().models_folder).findings


def _show(folders: list[Path], found: list[tuple[Path, Finding]]) -> None:
    console = Console(soft_wrap=True, highlight=False)
    for folder, finding in found:
        where = Text(f"{folder.name}/{finding.path}: ", style="bold")
        what = Text(f"{finding.severity} ", style=_STYLES[finding.severity])
        console.print(Text.assemble(where, what, f"{finding.message} ", (f"[{finding.rule}]", "dim")))
        console.print(f"    {finding.cure}")
    for folder in folders:
        counts = {severity: sum(at is folder and one.severity is severity for at, one in found) for severity in Severity}
        told = [f"{count} {severity}{'s' if count > 1 else ''}" for severity, count in counts.items() if count]
        click.echo(f"{folder.name}: {', '.join(told) or 'every rule is kept'}.")
