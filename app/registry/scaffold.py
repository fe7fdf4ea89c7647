"""Writes the folder of a new plugin that works at once: code, manifest, sample, golden output, README, test."""

import re
import shutil
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Final

from app.domain.errors import BadManifest
from app.registry.manifest import ID_PATTERN

_TEMPLATES: Final = Path(__file__).with_name("scaffolds")
_SUFFIX: Final = ".tmpl"  # of what is filled in; all else is copied


class Kind(StrEnum):
    """What a new plugin does to begin with."""

    DETECTOR = "detector"
    CLASSIFIER = "classifier"
    MEASURE = "measure"
    TRACKER = "tracker"


_WHAT: Final = {
    Kind.DETECTOR: "boxes around what is bright",
    Kind.CLASSIFIER: "bright frames and dark ones",
    Kind.MEASURE: "how bright a frame is",
    Kind.TRACKER: "things followed from frame to frame",
}


class CannotScaffold(BadManifest):
    """A new plugin cannot be written as asked."""

    sentence = "The plugin {plugin!r} was not written: {reason}."


def scaffold(plugin_id: str, kind: Kind, into: Path, *, author: str, license_: str) -> Path:
    """Write the plugin's folder in `into` and give its path; raises CannotScaffold, and leaves then nothing behind."""
    if not re.fullmatch(ID_PATTERN, plugin_id):
        reason = "an id has lower-case letters, digits and _, begins with a letter, and has at least two"
        raise CannotScaffold(plugin=plugin_id, reason=reason)
    folder = into / plugin_id
    if folder.exists():
        raise CannotScaffold(plugin=plugin_id, reason=f"{folder} is there already, and nothing is overwritten")
    sample = "sample.ndjson" if kind is Kind.TRACKER else "sample.png"
    words = {
        "ID": plugin_id, "CLASS": "".join(word.capitalize() for word in plugin_id.split("_")), "WHAT": _WHAT[kind],
        "NAME": plugin_id.replace("_", " ").capitalize(), "AUTHOR": author, "LICENSE": license_, "SAMPLE": sample,
    }  # fmt: skip
    made: Path | None = None
    try:
        into.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".new-", dir=into))
        for path in (*(_TEMPLATES / "any").iterdir(), *(_TEMPLATES / kind.value).iterdir()):
            if path.stem != "sample" or path.name == sample:
                _write(path, made, words)
        made.chmod(0o755)
        return made.rename(folder)  # whole or not at all: a server may be watching
    except OSError as error:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)
        raise CannotScaffold(plugin=plugin_id, reason=f"{error.strerror or error} ({into})") from error


def _write(path: Path, folder: Path, words: dict[str, str]) -> None:
    if path.suffix != _SUFFIX:
        shutil.copy(path, folder / path.name)
        return
    text = path.read_text(encoding="utf-8")
    for name, word in words.items():
        quoted = word.replace("\\", "\\\\").replace('"', '\\"') if path.name.startswith("plugin.toml") else word
        text = text.replace(f"{{{{{name}}}}}", quoted)
    (folder / path.name.removesuffix(_SUFFIX).replace("ID", words["ID"])).write_text(text, encoding="utf-8")
