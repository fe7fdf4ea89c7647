"""Holds a plugin's folder to every rule there is; nothing of it is imported into this process."""

import ast
from pathlib import Path
from typing import NamedTuple

from app.domain.finding import Finding, Severity
from app.domain.plugin import PluginMetadata
from app.registry import folder_rules, golden_rules
from app.registry.fault import findings
from app.registry.folder_rules import Subject
from app.registry.importing import PATIENCE_S, Imported, import_plugins
from app.registry.load import entry_file
from app.registry.manifest import MANIFEST, examine_manifest


class Validation(NamedTuple):
    """What came of reading a plugin: its metadata where its manifest can be used, and what the rules found."""

    metadata: PluginMetadata | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that keep the plugin from being used."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)


def validate(folder: Path, models: Path | None = None) -> Validation:
    """Hold a folder to every rule that needs no code to run; `models` is the folder of fetched models, to check hashes in."""
    metadata, found = examine_manifest(folder)
    if metadata is None:
        return Validation(None, found)
    subject = _subject(folder, metadata, models)
    toml = (folder / MANIFEST).read_text(encoding="utf-8")
    errors = tuple(findings(Severity.ERROR, folder_rules.ERRORS, subject, toml))
    wanting = findings(Severity.WARNING, (*folder_rules.WARNINGS, *golden_rules.WARNINGS), subject, toml)
    return Validation(metadata, (*errors, *wanting))


def validate_whole(folder: Path, models: Path | None = None, patience_s: float = PATIENCE_S) -> Validation:
    """Hold a folder to every rule, those too that import its code: in a child process, for at most `patience_s` seconds."""
    read = validate(folder, models)
    if read.metadata is None or read.errors:
        return read
    ((_, found),) = import_plugins([Imported(folder, read.metadata.entry)], patience_s)
    return Validation(read.metadata, (*found, *read.findings))


def _subject(folder: Path, metadata: PluginMetadata, models: Path | None) -> Subject:
    file = entry_file(folder, metadata.entry.partition(":")[0])
    try:
        tree = ast.parse(file.read_bytes()) if file else None
    except (SyntaxError, ValueError, OSError):
        tree = None  # a rule of its own says why
    return Subject(folder, metadata, file, tree, models)
