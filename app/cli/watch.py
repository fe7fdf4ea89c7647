"""`sightline watch`: what a running server does, live in a terminal, or line by line for a pipe."""

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.live import Live

from app.cli.board import Board
from app.cli.lines import json_line, line
from app.cli.tables import show_job
from app.client import Client, Feed, Job, ServerTrouble, ServerUnreachable
from app.domain.insight import Hello, Insight
from app.domain.job import JobStatus
from app.settings import Settings
from app.web.schemas import JobDocument

_JOB_FAILED: Final = 1
_A_SECOND: Final = 4  # how often the view is drawn


@click.command()
@click.argument("job_id", metavar="[JOB]", required=False)
@click.option("--types", default="", metavar="TYPE[,TYPE…]", help="Only these types of insights.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: type, id (a fact's number, else null), fields.")
@click.option("--url", default="", help="Address of the server; else SIGHTLINE_URL, else http://127.0.0.1:8000.")
def watch(job_id: str | None, types: str, as_json: bool, url: str) -> None:
    """Watch a JOB of a running server to its end, or all of them until Ctrl-C.

    In a terminal it is a live view, in a pipe a line for each insight. SIGHTLINE_TOKEN is sent where it is set. A server that
    is killed and comes back is waited for.

    Exits with 0 when the job completed, 1 when it failed or was cancelled, 2 when there is no such job or no server. Of a job
    that still runs, Ctrl-C makes it 130, and a reader that closes the pipe 141.
    """
    settings = Settings()
    with Client(url or settings.url, token=settings.token) as client:
        try:
            job = None if job_id is None else client.get(job_id)
            feed = client.follow(job, types=[part.strip() for part in types.split(",") if part.strip()])
            status = _watch(client, job, feed, as_json=as_json)
        except ServerUnreachable as nobody:
            raise click.UsageError(f"{nobody} Start one with `sightline serve`, or name its address with --url.") from None
    sys.exit(status)


def _watch(client: Client, job: Job | None, feed: Feed, *, as_json: bool) -> int:
    """Show the feed to its end; give the exit status."""
    try:
        if as_json:
            _write(feed, lambda insight: json_line(insight, feed.fact_id))
        elif not sys.stdout.isatty():
            _write(feed, lambda insight: b"" if isinstance(insight, Hello) else f"{line(insight)}\n".encode())
        else:
            _show(client, job, feed)
    except KeyboardInterrupt:
        if job is not None:
            click.echo(f"The job goes on. Watch it again: sightline watch {job.id}", err=True)
        return 0 if job is None else 128 + signal.SIGINT
    except BrokenPipeError:  # whoever read has enough; what Python still holds for it must not complain at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0 if job is None else 128 + signal.SIGPIPE
    finally:
        feed.close()
    if job is None:
        return 0
    ended = JobStatus(feed.closed) if feed.closed is not None else client.get(job).status
    return 0 if ended.succeeded else _JOB_FAILED


def _write(feed: Feed, text_of: Callable[[Insight], bytes]) -> None:
    out = sys.stdout.buffer
    for insight in feed:
        out.write(text_of(insight))
        out.flush()


def _show(client: Client, job: Job | None, feed: Feed) -> None:
    console = Console()
    board = Board(partial(_name_of, client), lambda: feed.connected or feed.closed is not None, one_job=job is not None)
    with Live(board, console=console, refresh_per_second=_A_SECOND, transient=True):
        for insight in feed:
            board.take(insight)
    if job is not None:
        show_job(console, JobDocument.model_validate_json(msgspec.json.encode(client.get(job))))


def _name_of(client: Client, job_id: str) -> str:
    try:
        return client.get(job_id).name
    except ServerTrouble:  # a job of which there are insights, and which is gone already
        return job_id
