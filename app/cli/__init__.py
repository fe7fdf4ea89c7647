"""The command line: every command of `sightline`, and how its errors end."""

import sys
from importlib import import_module
from typing import Any, Final

import click

import app
from app.domain.errors import SightlineError

WRONG_USAGE = 2
COMMANDS: Final = {
    "serve": "serve",
    "run": "run",
    "jobs": "jobs",
    "pipelines": "pipelines",
    "plugins": "plugins",
    "models": "models",
    "watch": "watch",
    "doctor": "doctor",
    "check": "check",
    "migrate": "serve",
}  # each with the module of app.cli it stands in, which is imported once the command is asked for


class _Commands(click.Group):
    """A group that loads a command when it is needed, and ends a wrong input with its sentence and exit code 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        home = COMMANDS.get(cmd_name)
        if home is None:
            return None
        command: click.Command = getattr(import_module(f"app.cli.{home}"), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SightlineError as error:
            click.echo(f"sightline: {error}", err=True)
            sys.exit(WRONG_USAGE)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(app.__version__, prog_name="sightline")
def main() -> None:
    """Sightline watches vision plugins work: overlays, progress, speed, health, and the device that really ran."""
