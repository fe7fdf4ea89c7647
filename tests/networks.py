"""Plugins that run networks, under test: prepared as a worker prepares them, with their models bound to the CPU."""

from pathlib import Path
from typing import Any

from app.devices.attach import Attachments
from app.domain.device import DeviceRequest, Target
from app.registry.load import load_plugin
from app.registry.manifest import check_options, read_manifest
from app.registry.models import ModelShelf
from app.sdk import Plugin, PrepareContext


def prepared(folder: Path, **options: Any) -> Plugin:
    """Give the plugin in a folder, prepared; a model is named by the file it brings along, or by a path."""
    metadata = read_manifest(folder)
    placed = ModelShelf(None).placed(metadata, folder, check_options(metadata, metadata.id, options))
    request = DeviceRequest(Target.CPU)
    networks = Attachments(request, stage=metadata.id, devices=metadata.devices, runtime=placed.get("runtime"))
    plugin = load_plugin(folder, metadata.entry)
    plugin.prepare(PrepareContext(placed, folder, request, attach=networks.attach))
    assert networks.decision().used is Target.CPU
    return plugin
