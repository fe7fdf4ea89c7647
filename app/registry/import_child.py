"""The child that imports plugins: `FD SECONDS JSON`; for each [folder, entry] it writes a line of findings to FD."""

import inspect
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from app.domain.errors import BrokenPlugin
from app.domain.finding import Finding, Severity
from app.registry.load import LIFECYCLE, entry_file, load_class


def main(arguments: list[str]) -> None:
    """Import what is asked for, one after the other; each may take as long as is said, and no child outlives that."""
    descriptor, patience_s, asked = int(arguments[0]), float(arguments[1]), json.loads(arguments[2])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for folder, entry in asked:
        signal.setitimer(signal.ITIMER_REAL, patience_s + 1)  # should the parent be gone
        found = list(examine(Path(folder), entry))
        os.write(descriptor, msgspec.json.encode(found) + b"\n")


def examine(folder: Path, entry: str) -> Iterator[Finding]:
    """Import a plugin's class and hold it to the rules about its code; stops at the first thing that is wrong."""
    file = entry_file(folder, entry.partition(":")[0])
    path = file.relative_to(folder).as_posix() if file else "plugin.toml"
    try:
        found = load_class(folder, entry)
    except BrokenPlugin as broken:
        cure = "Let entry name a class."
        yield Finding("entry-leads-to-a-class", Severity.ERROR, path, str(broken.facts["reason"]), cure)
        return
    except BaseException as error:  # noqa: BLE001  # the worker's edge: a plugin's import may raise anything, also SystemExit
        cure = "Import it by hand and mend what it says; what it needs must be installed beside Sightline."
        message = f"its import failed: {_described(error)}"
        yield Finding("entry-can-be-imported", Severity.ERROR, _where(error, folder, path), message, cure)
        return
    for rule in RULES:
        flaw = rule(found)
        if flaw is not None:
            message, cure, line = flaw
            yield Finding(rule.__name__.replace("_", "-"), Severity.ERROR, f"{path}:{line}" if line else path, message, cure)
            return


Flaw = tuple[str, str, int | None]


def has_its_lifecycle(found: type) -> Flaw | None:
    """The class has the three methods of a plugin."""
    missing = [name for name in LIFECYCLE if not callable(getattr(found, name, None))]
    if not missing:
        return None
    wanted = "; ".join(f"def {name}(self, {LIFECYCLE[name]})" for name in missing)
    return f"{found.__name__} has no {', '.join(missing)}", f"Write {wanted}.", _line(found)


def builds_without_arguments(found: type) -> Flaw | None:
    """The class is built with no arguments."""
    try:
        inspect.signature(found).bind()
    except (TypeError, ValueError) as error:
        cure = "What it needs is given to prepare, in its context."
        return f"{found.__name__}() cannot be called without arguments: {error}", cure, _line(found)
    return None


def methods_take_one_thing(found: type) -> Flaw | None:
    """Each method takes the one thing the engine gives it."""
    for name, given in LIFECYCLE.items():
        method = inspect.getattr_static(found, name)
        bound = isinstance(method, staticmethod | classmethod)
        try:
            inspect.signature(getattr(found, name)).bind(*([given] if bound else ["self", given]))
        except (TypeError, ValueError):
            said = f"{name}{inspect.signature(getattr(found, name))}"
            message = f"{found.__name__}.{said} cannot be called with {given} alone"
            return message, f"Write def {name}(self, {given}).", _line(getattr(found, name))
    return None


def methods_are_plain(found: type) -> Flaw | None:
    """No method is asynchronous or a generator: calling it would do nothing."""
    for name in LIFECYCLE:
        method = getattr(found, name)
        for tell, what, cure in (
            (inspect.iscoroutinefunction, "asynchronous", "Write def in place of async def."),
            (inspect.isasyncgenfunction, "asynchronous", "Write def in place of async def, and return."),
            (inspect.isgeneratorfunction, "a generator", "Return what it gives in place of yielding it."),
        ):
            if tell(method):
                return f"{found.__name__}.{name} is {what}: calling it does nothing", cure, _line(method)
    return None


RULES: Final = (has_its_lifecycle, builds_without_arguments, methods_take_one_thing, methods_are_plain)


def _line(what: object) -> int | None:
    try:
        return inspect.getsourcelines(what)[1]  # type: ignore[arg-type]  # a class or a function, by now
    except (OSError, TypeError):
        return None


def _described(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


def _where(error: BaseException, folder: Path, path: str) -> str:
    """The line of the plugin's own code that the error came by last."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_relative_to(folder.resolve()):
        return f"{Path(error.filename).relative_to(folder.resolve()).as_posix()}:{error.lineno}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).is_relative_to(folder.resolve())]
    if not frames:
        return path
    return f"{Path(frames[-1].filename).relative_to(folder.resolve()).as_posix()}:{frames[-1].lineno}"


if __name__ == "__main__":
    main(sys.argv[1:])
