"""`sightline plugins new`: the folder of a plugin that works, to begin with."""

import getpass
import os
import shlex
from pathlib import Path

import click

from app.registry.discover import Catalogue
from app.registry.scaffold import CannotScaffold, Kind, scaffold
from app.settings import Settings, paths


@click.command()
@click.argument("plugin_id", metavar="ID")
@click.option("--kind", type=click.Choice([kind.value for kind in Kind]), default=Kind.DETECTOR.value, show_default=True)
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Folder to write the plugin's folder into; the first of SIGHTLINE_PLUGINS_PATH, else this one.")  # fmt: skip
@click.option("--author", help="Who writes it; the user's name, where nothing is said.")
@click.option("--license", "license_", default="Apache-2.0", show_default=True, help="Its licence, as an SPDX expression.")
def new(plugin_id: str, kind: str, into: Path | None, author: str | None, license_: str) -> None:
    """Write a new plugin's folder: it passes validate and test at once, and is yours to change. Nothing is overwritten."""
    settings = Settings()
    parents = (*([into] if into else []), *paths(settings.plugins_path), Path())
    taken = Catalogue.discover(settings.plugin_folders).found.get(plugin_id)
    if taken is not None and taken.folder.resolve() != (parents[0] / plugin_id).resolve():
        raise CannotScaffold(plugin=plugin_id, reason=f"its id is taken by the plugin found in {taken.origin}")
    folder = scaffold(plugin_id, Kind(kind), parents[0], author=author or _user(), license_=license_)
    shown = shlex.quote(str(folder))
    click.echo(f"{folder} is a {kind} that works. Change it, and hold it to its promises:")
    for step in (
        f"sightline plugins validate {shown}",
        f"sightline plugins test {shown}",
        f"SIGHTLINE_PLUGINS_PATH={shlex.quote(str(folder.parent.resolve()))} sightline serve --reload-plugins",
    ):
        click.echo(f"  {step}")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return f"user {os.getuid()}"
