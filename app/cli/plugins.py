"""`sightline plugins`: what plugins there are, and what each declares."""

import click
from rich.console import Console

from app.cli.new import new
from app.cli.tables import plugins_table
from app.cli.trial import bench, test
from app.cli.validate import schema, validate
from app.domain.errors import UnknownPlugin
from app.registry.discover import Catalogue
from app.settings import Settings, bundled
from app.web.schemas_lists import PluginListDocument
from app.web.schemas_plugins import PluginDocument


@click.group(invoke_without_command=True)
@click.pass_context
def plugins(context: click.Context) -> None:
    """List plugins, show what one declares, and hold one to the rules."""
    if context.invoked_subcommand is None:
        context.invoke(list_plugins)


@plugins.command("list")
@click.option("--json", "as_json", is_flag=True)
def list_plugins(as_json: bool = False) -> None:
    """List the plugins found on this machine, the broken ones with the reason."""
    catalogue = _catalogue()
    found = catalogue.found
    if as_json:
        documents = [PluginDocument.of(plugin, shelf=catalogue.models) for plugin in found.values()]
        click.echo(PluginListDocument(items=documents, next_cursor=None).model_dump_json())
    else:
        Console().print(plugins_table(found.values()))


@plugins.command()
@click.argument("plugin_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True)
def show(plugin_id: str, as_json: bool) -> None:
    """Show one plugin: what it declares, and its options."""
    catalogue = _catalogue()
    found = catalogue.found
    if plugin_id not in found:
        raise UnknownPlugin(plugin=plugin_id, known=", ".join(found))
    plugin = found[plugin_id]
    if as_json:
        click.echo(PluginDocument.of(plugin, shelf=catalogue.models).model_dump_json())
        return
    metadata = plugin.metadata
    if metadata is None:
        click.echo(f"{plugin.id} is broken: {plugin.reason}")
        return
    click.echo(f"{metadata.name} ({metadata.id} {metadata.version}), by {metadata.author}, {metadata.license}")
    click.echo(metadata.description)
    for finding in plugin.findings:
        click.echo(f"{finding.severity.capitalize()}: {finding.message} ({finding.path}). {finding.cure}")
    click.echo(f"Gives {metadata.output}; promises {metadata.latency_budget_ms:g} ms a frame.")
    for option in metadata.options:
        limits = "" if option.minimum is None else f", {option.minimum:g} to {option.maximum:g}"
        choices = f", one of {', '.join(option.choices)}" if option.choices else ""
        click.echo(f"  {option.name} = {option.default} ({option.type}{limits}{choices}): {option.help or option.title}")
    for model in metadata.models:
        state = catalogue.models.state(metadata.id, model)
        shown = "is here" if state is None else f"{state}; fetch it: sightline models pull {model.name}"
        click.echo(f"Model {model.name} ({model.size / 1e6:.1f} MB, {model.license}) {shown}")


def _catalogue() -> Catalogue:
    settings = Settings()
    catalogue = Catalogue.discover(settings.plugin_folders, models=settings.models_folder)
    catalogue.import_all(proven=bundled("plugins"))
    return catalogue


for command in (new, validate, test, bench, schema):
    plugins.add_command(command)
