"""Loading a plugin's code, in workers only: nothing heavy is imported here."""

import importlib
import importlib.machinery
import importlib.util
import sys
from hashlib import sha256
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import cast

from app.domain.errors import BrokenPlugin
from app.domain.plugin import Plugin

LIFECYCLE = {"prepare": "context", "process_frame": "frame", "finalize": "outputs"}  # what each is given
_LOCK = RLock()  # two threads must not run the same plugin's module at once


def load_plugin(folder: Path, entry: str) -> Plugin:
    """Import `entry` (`module:Class`, relative to `folder`) and build one instance; raises as load_class does."""
    found = load_class(folder, entry)
    missing = [name for name in LIFECYCLE if not callable(getattr(found, name, None))]
    if missing:
        raise BrokenPlugin(plugin=folder.name, reason=f"{found.__name__} has no {', '.join(missing)}")
    return cast("Plugin", found())


def load_class(folder: Path, entry: str) -> type:
    """Import `entry` (`module:Class`, relative to `folder`) and give its class.

    The folder becomes a package with a private name, so that two plugins with a `plugin.py` do not collide and
    `from . import` finds the files beside it. Code edited since the last load is imported anew. Raises BrokenPlugin where
    the entry does not lead to a class; what the plugin's own code raises comes out as it is.
    """
    module_name, _, class_name = entry.partition(":")
    with _LOCK:
        module = _import(folder.resolve(), module_name)
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        raise BrokenPlugin(plugin=folder.name, reason=f"{module_name} has no class {class_name!r}")
    return found


def unload(folder: Path) -> None:
    """Forget a folder's modules, so that the next load runs its code anew."""
    package = _private_name(folder.resolve())
    with _LOCK:
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            del sys.modules[name]


def entry_file(folder: Path, module_name: str) -> Path | None:
    """Where the code of an entry's module lies: a file, or a folder with `__init__.py`; None where there is none."""
    stem = folder.joinpath(*module_name.split("."))
    return next((path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file()), None)


def _import(folder: Path, module_name: str) -> ModuleType:
    if entry_file(folder, module_name) is None:
        raise BrokenPlugin(plugin=folder.name, reason=f"there is no {module_name.replace('.', '/')}.py in its folder")
    package = _private_name(folder)
    before = set(sys.modules)
    try:
        _open_package(package, folder)
        return importlib.import_module(f"{package}.{module_name}")
    except BaseException:
        for name in set(sys.modules) - before:
            if name.partition(".")[0] == package:
                del sys.modules[name]  # a half-imported module must not be found next time
        raise


def _private_name(folder: Path) -> str:
    """Name the folder's package after where it lies and when its code was last edited."""
    code = sorted((str(path), path.stat().st_mtime_ns) for path in folder.rglob("*.py"))
    return f"sightline_plugin_{sha256(repr((str(folder), code)).encode()).hexdigest()[:16]}"


def _open_package(name: str, folder: Path) -> None:
    """Make `folder` a package of this name, running its `__init__.py` where it has one."""
    if name in sys.modules:
        return
    init = folder / "__init__.py"
    spec = (
        importlib.util.spec_from_file_location(name, init, submodule_search_locations=[str(folder)])
        if init.is_file()
        else importlib.machinery.ModuleSpec(name, None, is_package=True)
    )
    if spec is None:  # only for suffixes no loader knows; `.py` always has one
        raise BrokenPlugin(plugin=folder.name, reason="its __init__.py cannot be loaded")
    if spec.loader is None:
        spec.submodule_search_locations = [str(folder)]
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if spec.loader is not None:
        spec.loader.exec_module(module)
