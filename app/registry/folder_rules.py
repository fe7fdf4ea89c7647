"""What a plugin's folder is held to beside its manifest, one rule to a function; nothing of it is imported."""

import ast
from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path
from typing import Final, NamedTuple

from app.domain.plugin import Capability, PluginMetadata
from app.registry.fault import Fault, Rule
from app.registry.licences import find_flaw_in_licence

_WHOLE_FRAME_MS: Final = 30_000  # a stage is given up after so long on a frame, unless the job says otherwise
_SHORTEST_MS: Final = 0.01  # no plugin that does anything stays below it


class Subject(NamedTuple):
    """What the rules look at.

    `file` is the entry's code and `tree` its syntax tree, None where there is none; `models` is the folder of fetched models.
    """

    folder: Path
    metadata: PluginMetadata
    file: Path | None
    tree: ast.Module | None
    models: Path | None = None


OUTPUT_OF: Final = {
    Capability.DETECT: "detections",
    Capability.TRACK: "detections",
    Capability.CLASSIFY: "classification",
    Capability.SEGMENT: "mask",
    Capability.READ_TEXT: "text",
    Capability.KEYPOINTS: "keypoints",
    Capability.MEASURE: "measurements",
}


def entry_has_a_file(subject: Subject) -> Iterator[Fault]:
    """The entry's module is a file of the folder."""
    if subject.file is None:
        wanted = subject.metadata.entry.partition(":")[0].replace(".", "/")
        message = f"entry is {subject.metadata.entry!r}, but there is no {wanted}.py in its folder"
        yield Fault(("entry",), message, f"Write {wanted}.py, or name the file that is there.")


def entry_is_python(subject: Subject) -> Iterator[Fault]:
    """The entry's module can be parsed."""
    if subject.file is None or subject.tree is not None:
        return
    try:
        ast.parse(subject.file.read_bytes())
    except (SyntaxError, ValueError, OSError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else None
        where = f" at line {line}" if line else ""
        path = f"{subject.file.name}:{line}" if line else subject.file.name
        message = f"{subject.file.name} is not Python{where}: {getattr(error, 'msg', None) or error}"
        yield Fault(path, message, "Mend the line.")


def entry_class_is_defined(subject: Subject) -> Iterator[Fault]:
    """The entry's class is named at the top level of its module."""
    module, _, wanted = subject.metadata.entry.partition(":")
    if subject.tree is not None and wanted not in set(_top_level_names(subject.tree)):
        message = f"entry is {subject.metadata.entry!r}, but {module} defines no {wanted}"
        yield Fault(("entry",), message, f"Write class {wanted} there, or name the class that is there.")


def models_have_their_hash(subject: Subject) -> Iterator[Fault]:
    """A model file that is here has the hash that is declared for it, in plugin.toml or in a .sha256 file beside it."""
    places = [subject.folder, *([subject.models / subject.metadata.id] if subject.models else [])]
    cure = "Fetch the file again, or declare the hash of the file you mean (sha256sum prints it)."
    for number, model in enumerate(subject.metadata.models):
        for path in (place / model.file for place in places):
            if path.is_file() and _sha256(path) != model.sha256:
                message = f"models.{number}.sha256 is {model.sha256[:12]}…, but {model.file} here has {_sha256(path)[:12]}…"
                yield Fault(("models", number, "sha256"), message, cure)
    for note in sorted(subject.folder.glob("*.sha256")):
        told, _, name = note.read_text(encoding="utf-8", errors="replace").strip().partition("  ")
        if (subject.folder / name).is_file() and _sha256(subject.folder / name) != told:
            yield Fault(note.name, f"{note.name} is {told[:12]}…, but {name} here has another hash", cure)


def imports_only_the_sdk(subject: Subject) -> Iterator[Fault]:
    """Of Sightline, a plugin imports `app.sdk` alone."""
    if subject.tree is None or subject.file is None:
        return
    for name, line in sorted(dict(_imported(subject.tree)).items()):
        if name.partition(".")[0] == "app" and name != "app.sdk":
            cure = "Import it from app.sdk; all the rest may change without notice."
            yield Fault(f"{subject.file.name}:{line}", f"it imports {name}; a plugin imports app.sdk only", cure)


def output_fits_a_capability(subject: Subject) -> Iterator[Fault]:
    """One of the capabilities is what the output shows."""
    declared = subject.metadata
    if declared.output not in {OUTPUT_OF[capability] for capability in declared.capabilities}:
        able = ", ".join(declared.capabilities)
        message = f"output is {declared.output!r}, which none of its capabilities ({able}) gives"
        gives = ", ".join(capability for capability, output in OUTPUT_OF.items() if output == declared.output)
        yield Fault(("output",), message, f"Declare the output it gives, or a capability that gives it: {gives}.")


def looks_at_something(subject: Subject) -> Iterator[Fault]:
    """What does not look at pixels reads what earlier stages gave."""
    if not subject.metadata.needs_pixels and not subject.metadata.needs_outputs:
        message = "needs_pixels is false, but needs_outputs names nothing to read instead"
        yield Fault(("needs_pixels",), message, 'Add needs_outputs = ["detections"], or what it reads; or look at pixels.')


def budget_is_plausible(subject: Subject) -> Iterator[Fault]:
    """The budget is one that a plugin can keep, and can break."""
    budget = subject.metadata.latency_budget_ms
    if not _SHORTEST_MS <= budget <= _WHOLE_FRAME_MS:
        message = f"latency_budget_ms is {budget:g}, expected {_SHORTEST_MS:g} to {_WHOLE_FRAME_MS:g}"
        yield Fault(("latency_budget_ms",), message, "Measure it: sightline plugins bench ID prints what a frame takes.")


def licence_is_known(subject: Subject) -> Iterator[Fault]:
    """Licences are SPDX expressions, so that a person knows what is allowed."""
    licences = [(("license",), "license", subject.metadata.license)]
    for number, model in enumerate(subject.metadata.models):
        licences.append((("models", number, "license"), f"models.{number}.license", model.license))  # type: ignore[arg-type]  # a place is as long as it must be
    for place, name, licence in licences:
        if flaw := find_flaw_in_licence(licence):
            cure = "Take the identifier from https://spdx.org/licenses, or write LicenseRef- and a name of its own."
            yield Fault(place, f"{name} is {licence!r}: {flaw}", cure)


def options_are_explained(subject: Subject) -> Iterator[Fault]:
    """Each option says on the form what it does."""
    for option in subject.metadata.options:
        if not option.help.strip():
            message = f"options.{option.name} has no help"
            yield Fault(("options", option.name), message, 'Add help = "…": a sentence for whoever fills in the form.')


def folder_is_named_by_the_id(subject: Subject) -> Iterator[Fault]:
    """The folder is named by the plugin's id, so that one is found by the other."""
    if subject.folder.name != subject.metadata.id:
        message = f"its folder is {subject.folder.name!r}, expected {subject.metadata.id!r}"
        yield Fault(("id",), message, "Rename the folder, or the id.")


def readme_is_there(subject: Subject) -> Iterator[Fault]:
    """A README stands beside the code and says something."""
    readme = subject.folder / "README.md"
    if not readme.is_file() or not readme.read_bytes().strip():
        message = "its README.md is empty" if readme.is_file() else "it has no README.md"
        yield Fault("README.md", message, "Say what it finds, what its options do, how fast it is, and where it fails.")


def test_is_there(subject: Subject) -> Iterator[Fault]:
    """A test stands beside the code."""
    if not any(subject.folder.glob("test_*.py")):
        name = f"test_{subject.metadata.id}.py"
        yield Fault(name, f"it has no {name}", "Write one; the fixture plugin_check does the most of it.")


ERRORS: Final[tuple[Rule, ...]] = (entry_has_a_file, entry_is_python, entry_class_is_defined, models_have_their_hash)
WARNINGS: Final[tuple[Rule, ...]] = (
    imports_only_the_sdk,
    output_fits_a_capability,
    looks_at_something,
    budget_is_plausible,
    licence_is_known,
    options_are_explained,
    folder_is_named_by_the_id,
    readme_is_there,
    test_is_there,
)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


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


def _imported(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Give the modules imported by name, each with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module == "app":
                yield from ((f"app.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield node.module, node.lineno
