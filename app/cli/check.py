"""`sightline check`: holds what a checkout shows to others against what is kept of it."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import click

_CHECKOUT: Final = Path(__file__).parents[2]


@click.command()
@click.argument("names", nargs=-1)
@click.option("--accept", multiple=True, metavar="NAME", help="Keep what NAME shows now; `all` means every promise.")
@click.option("--because", default="", help="Why it changes; needed where it breaks what others rely on.")
@click.option("--json", "as_json", is_flag=True)
def check(names: tuple[str, ...], accept: tuple[str, ...], because: str, as_json: bool) -> None:
    """Compare what this checkout promises to others with what is kept in tests/baselines: all of it, or NAMES.

    Exits with 0 when everything is as it is kept, 1 when something changed, 2 when it could not be asked for like this.
    """
    if not (_CHECKOUT / "tests" / "promises").is_dir():
        message = "This compares a checkout of Sightline with its baselines, and an installed Sightline has none."
        raise click.UsageError(message)
    asked = [*names, *(word for name in accept for word in ("--accept", name)), *(["--json"] if as_json else [])]
    asked += ["--because", because] if because else []
    sys.exit(subprocess.run([sys.executable, "-m", "tests.promises", *asked], cwd=_CHECKOUT, check=False).returncode)
