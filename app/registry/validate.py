"""Rules a plugin's folder is held to, one function each; nothing is imported, findings are data."""

import ast
import json
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from app.domain.plugin import Capability, PluginMetadata
from app.registry.load import entry_file


class Severity(StrEnum):
    """What a finding means: the plugin cannot be used, or it can but something is wanting."""

    BROKEN = "broken"
    WANTING = "wanting"


class Finding(NamedTuple):
    """One thing a rule found, as a sentence."""

    severity: Severity
    message: str


class Subject(NamedTuple):
    """What the rules look at: the folder, what it declares, and the entry module's syntax tree (None where there is none)."""

    folder: Path
    metadata: PluginMetadata
    tree: ast.Module | None


Rule = Callable[[Subject], Iterator[Finding]]

OUTPUT_OF: Final = {
    Capability.DETECT: "detections",
    Capability.TRACK: "detections",
    Capability.CLASSIFY: "classification",
    Capability.SEGMENT: "mask",
    Capability.READ_TEXT: "text",
    Capability.KEYPOINTS: "keypoints",
    Capability.MEASURE: "measurements",
}


def validate(folder: Path, metadata: PluginMetadata) -> tuple[Finding, ...]:
    """Hold a plugin's folder to every rule; gives what they found, in the rules' order."""
    file = entry_file(folder, metadata.entry.partition(":")[0])
    if file is None:
        wanted = metadata.entry.partition(":")[0].replace(".", "/")
        return (Finding(Severity.BROKEN, f"entry is {metadata.entry!r}, but there is no {wanted}.py in its folder"),)
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError) as error:
        where = f" at line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        return (Finding(Severity.BROKEN, f"{file.name} is not Python{where}: {getattr(error, 'msg', error)}"),)
    subject = Subject(folder, metadata, tree)
    return tuple(finding for rule in RULES for finding in rule(subject))


def entry_class_is_defined(subject: Subject) -> Iterator[Finding]:
    """The entry's class must be named at the top level of its module."""
    module, _, wanted = subject.metadata.entry.partition(":")
    if subject.tree and wanted not in set(_top_level_names(subject.tree)):
        yield Finding(Severity.BROKEN, f"entry is {subject.metadata.entry!r}, but {module} defines no {wanted}")


def imports_only_the_sdk(subject: Subject) -> Iterator[Finding]:
    """Of Sightline, a plugin imports `app.sdk` alone."""
    for name in sorted(set(_imported(subject.tree))) if subject.tree else ():
        if name.partition(".")[0] == "app" and name != "app.sdk":
            yield Finding(Severity.WANTING, f"it imports {name}; a plugin imports app.sdk only")


def output_fits_a_capability(subject: Subject) -> Iterator[Finding]:
    """One of the capabilities must be what the output shows."""
    declared = subject.metadata
    if declared.output not in {OUTPUT_OF[capability] for capability in declared.capabilities}:
        able = ", ".join(declared.capabilities)
        yield Finding(Severity.WANTING, f"output is {declared.output!r}, which none of its capabilities ({able}) gives")


def folder_has_its_name(subject: Subject) -> Iterator[Finding]:
    """The folder is named by the plugin's id, so that one is found by the other."""
    if subject.folder.name != subject.metadata.id:
        yield Finding(Severity.WANTING, f"its folder is {subject.folder.name!r}, expected {subject.metadata.id!r}")


def says_what_it_is(subject: Subject) -> Iterator[Finding]:
    """A README stands beside the code."""
    if not (subject.folder / "README.md").is_file():
        yield Finding(Severity.WANTING, "it has no README.md")


def can_be_tried(subject: Subject) -> Iterator[Finding]:
    """A sample, what is expected of it, and a test are there."""
    if not any(subject.folder.glob("sample*")):
        yield Finding(Severity.WANTING, "it has no sample input (sample.*)")
    expected = subject.folder / "expected.json"
    if not expected.is_file():
        yield Finding(Severity.WANTING, "it has no expected.json")
    else:
        try:
            json.loads(expected.read_bytes())
        except ValueError as error:
            yield Finding(Severity.WANTING, f"expected.json is not JSON: {error}")
    if not (subject.folder / f"test_{subject.metadata.id}.py").is_file():
        yield Finding(Severity.WANTING, f"it has no test_{subject.metadata.id}.py")


RULES: Final[tuple[Rule, ...]] = (
    entry_class_is_defined,
    imports_only_the_sdk,
    output_fits_a_capability,
    folder_has_its_name,
    says_what_it_is,
    can_be_tried,
)


def _top_level_names(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.ImportFrom | ast.Import):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.If | ast.Try):
            yield from _top_level_names(ast.Module(node.body, []))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module == "app":
                yield from (f"app.{alias.name}" for alias in node.names)
            else:
                yield node.module
