"""`sightline pipelines`: pipelines saved by name, straight from the database."""

import json
from pathlib import Path
from typing import Final

import click

from app.actions.delete_pipeline import delete_pipeline
from app.actions.draft import read_stages
from app.actions.save_pipeline import save_pipeline
from app.cli.jobs import open_store
from app.domain.errors import BadPipeline
from app.domain.pipeline import Stage
from app.registry.discover import Catalogue
from app.settings import Settings
from app.store import pipelines as rows
from app.web.schemas_lists import PipelineListDocument
from app.web.schemas_pipeline import PipelineDocument, SavedPipelineDocument

_MANY: Final = 100_000


def is_saved_name(text: str) -> bool:
    """Say whether what stands for a pipeline is a saved one's name, and not the path of a file."""
    return not (Path(text).is_file() or "/" in text or text.endswith(".json"))


def read_pipeline_file(text: str) -> tuple[Stage, ...]:
    """Read the stages in a JSON file; raise BadPipeline."""
    try:
        document = json.loads(Path(text).read_text(encoding="utf-8"))
    except OSError as error:
        raise BadPipeline.because(f"{text} cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise BadPipeline.because(f"{text} is not JSON ({error})") from None
    return read_stages(document)


@click.group(invoke_without_command=True)
@click.pass_context
def pipelines(context: click.Context) -> None:
    """List, show, save and delete pipelines that are kept by name; run one with: sightline run SOURCE --pipeline NAME."""
    if context.invoked_subcommand is None:
        context.invoke(list_pipelines)


@pipelines.command("list")
@click.option("--json", "as_json", is_flag=True)
def list_pipelines(as_json: bool = False) -> None:
    """List the saved pipelines by name, each with its stages."""
    with open_store(Settings()) as store, store.read() as tx:
        saved, _ = rows.page(tx, limit=_MANY)
    if as_json:
        items = [SavedPipelineDocument.of(one) for one in saved]
        click.echo(PipelineListDocument(items=items, next_cursor=None).model_dump_json())
    for one in saved if not as_json else ():
        click.echo(f"{one.name}: {' → '.join(one.pipeline.ids)}")
    if not saved and not as_json:
        click.echo("No pipeline is saved yet. Save one: sightline pipelines save NAME FILE.json")


@pipelines.command()
@click.argument("name")
def show(name: str) -> None:
    """Print a saved pipeline as JSON, as it may be saved again from a file."""
    with open_store(Settings()) as store, store.read() as tx:
        saved = rows.get(tx, name)
    click.echo(PipelineDocument.of(saved.pipeline).model_dump_json(indent=2))


@pipelines.command()
@click.argument("name")
@click.argument("file", metavar="FILE.json")
def save(name: str, file: str) -> None:
    """Save the pipeline in FILE.json under NAME, in place of what was there; it is checked as for a job."""
    settings = Settings()
    stages = read_pipeline_file(file)
    catalogue = Catalogue.discover(settings.plugin_folders, models=settings.models_folder)
    with open_store(settings) as store:
        saved, new = save_pipeline(name, stages, store=store, catalogue=catalogue, model_roots=(Path("/"),))
    click.echo(f"{saved.name} is {'saved' if new else 'replaced'}: {' → '.join(saved.pipeline.ids)}")


@pipelines.command()
@click.argument("name")
def delete(name: str) -> None:
    """Delete a saved pipeline; jobs that ran it keep theirs."""
    with open_store(Settings()) as store:
        delete_pipeline(name, store=store)
    click.echo(f"{name} is deleted.")
