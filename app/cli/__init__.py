"""The command line: every command of `sightline`, and how its errors end."""

import sys
from typing import Any

import click

import app
from app.cli.doctor import doctor
from app.cli.jobs import jobs
from app.cli.models import models
from app.cli.plugins import plugins
from app.cli.run import run
from app.cli.serve import migrate, serve
from app.domain.errors import SightlineError

WRONG_USAGE = 2


class _Commands(click.Group):
    """A group whose commands end a wrong input with its sentence and exit code 2."""

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


for command in (serve, run, jobs, plugins, models, doctor, migrate):
    main.add_command(command)
