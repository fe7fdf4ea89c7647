"""`sightline jobs`: list, show, cancel, retry and delete jobs, straight from the database."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console

from app.actions.cancel import cancel as cancel_job
from app.actions.delete import delete as delete_job
from app.actions.retry import retry as retry_job
from app.cli.tables import jobs_table, show_job
from app.domain.history import JobFilter
from app.domain.job import JobStatus
from app.main import migrate_database
from app.media.storage import Storage
from app.settings import Settings
from app.store import jobs as rows
from app.store import listing
from app.store.engine import Store
from app.web.schemas import job_document
from app.web.schemas_lists import JobListDocument


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """Open the database, migrated, for as long as a command needs it."""
    migrate_database(settings)
    store = Store(settings.database)
    try:
        yield store
    finally:
        store.close()


def _no_wake() -> None:
    """A server looks at the database every second; nothing here can ring it."""


@click.group(invoke_without_command=True)
@click.pass_context
def jobs(context: click.Context) -> None:
    """List, show, cancel, retry and delete jobs."""
    if context.invoked_subcommand is None:
        context.invoke(list_jobs)


@jobs.command("list")
@click.option("--status", type=click.Choice([status.value for status in JobStatus]), help="Only jobs of this status.")
@click.option("--plugin", help="Only jobs that run this plugin.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True)
@click.option("--cursor", help="Go on from where the last list ended.")
@click.option("--json", "as_json", is_flag=True)
def list_jobs(
    status: str | None = None, plugin: str | None = None, limit: int = 20, cursor: str | None = None, as_json: bool = False
) -> None:
    """List jobs, newest first."""
    with open_store(Settings()) as store, store.read() as tx:
        wanted = JobFilter(statuses=(JobStatus(status),) if status else (), plugin=plugin)
        page, following = listing.page(tx, wanted, limit=limit, cursor=cursor)
        documents = [job_document(tx, job) for job in page]
    if as_json:
        click.echo(JobListDocument(items=documents, next_cursor=following).model_dump_json())
    elif documents:
        Console().print(jobs_table(documents))
    else:
        click.echo("There are no jobs yet. Start one: sightline run VIDEO --plugin people_hog")


@jobs.command()
@click.argument("job_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True)
def show(job_id: str, as_json: bool) -> None:
    """Show one job."""
    with open_store(Settings()) as store, store.read() as tx:
        document = job_document(tx, rows.get(tx, job_id))
    if as_json:
        click.echo(document.model_dump_json())
    else:
        show_job(Console(), document)


@jobs.command()
@click.argument("job_id", metavar="ID")
def cancel(job_id: str) -> None:
    """Cancel a job; what is committed stays."""
    with open_store(Settings()) as store:
        job = cancel_job(job_id, store=store, wake=_no_wake)
    click.echo(f"{job.name} ({job.id}): {'cancelled' if job.status.ended else 'being cancelled'}.")


@jobs.command()
@click.argument("job_id", metavar="ID")
def retry(job_id: str) -> None:
    """Take a failed or cancelled job up again; a running server does it."""
    with open_store(Settings()) as store:
        job = retry_job(job_id, store=store, wake=_no_wake)
    click.echo(f"{job.name} ({job.id}) is queued; a running server takes it up.")


@jobs.command()
@click.argument("job_id", metavar="ID")
def delete(job_id: str) -> None:
    """Delete an ended job with its outputs, and its upload when no other job uses it."""
    settings = Settings()
    with open_store(settings) as store:
        delete_job(job_id, store=store, storage=Storage(settings.home), wake=_no_wake)
    click.echo(f"{job_id} is deleted.")
