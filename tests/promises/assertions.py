"""Reads tests as source: which functions assert, by themselves or through what they call and the fixtures they use."""

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

Function = ast.FunctionDef | ast.AsyncFunctionDef
ASSERTING: Final = {  # what fails by itself when something is not so: pytest's, Playwright's, numpy's, and our harness's
    *("raises", "warns", "fail", "expect", "assert_allclose", "assert_array_equal"),
    *("plugin_check", "harness.check"),
}
_BROAD: Final = {"Exception", "BaseException", "AssertionError"}


def called(node: ast.Call) -> str:
    """Give the last name of what is called: `raises` of `pytest.raises(…)`."""
    if not isinstance(node.func, ast.Attribute):
        return getattr(node.func, "id", "")
    whole = f"{getattr(node.func.value, 'id', '')}.{node.func.attr}"
    return whole if whole in ASSERTING else node.func.attr


def is_fixture(function: Function) -> bool:
    """Say whether a function is a fixture."""
    return any("fixture" in ast.unparse(decorator) for decorator in function.decorator_list)


@dataclass
class Module:
    """A file of tests, with the names it defines and those it takes from other files of tests."""

    path: Path
    root: Path
    tree: ast.Module = field(init=False)

    def __post_init__(self) -> None:
        self.tree = ast.parse(self.path.read_text(encoding="utf-8"))

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the file."""
        return list(ast.walk(self.tree))

    @cached_property
    def every_function(self) -> list[Function]:
        """Every function of the file, also those within classes and functions."""
        return [node for node in self.nodes if isinstance(node, Function)]

    @cached_property
    def functions(self) -> dict[str, list[Function]]:
        """The functions of each name."""
        found: dict[str, list[Function]] = {}
        for function in self.every_function:
            found.setdefault(function.name, []).append(function)
        return found

    @cached_property
    def fixtures(self) -> dict[str, Function]:
        """Fixtures of the file by the name tests ask for."""
        found = {}
        for function in self.every_function:
            for decorator in function.decorator_list if is_fixture(function) else ():
                names = [k.value for k in getattr(decorator, "keywords", ()) if k.arg == "name"]
                name = names[0].value if names and isinstance(names[0], ast.Constant) else function.name
                found[str(name)] = function
        return found

    @property
    def sources(self) -> Iterator[Path]:
        """Files whose names count here: those it imports from, and each conftest above it."""
        for node in self.nodes:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("tests", "plugins", "app.testing")):
                base = self.root / (node.module or "").replace(".", "/")
                yield from (path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file())
        for folder in self.path.parents:
            if folder == self.root.parent:
                return
            if (folder / "conftest.py").is_file() and folder / "conftest.py" != self.path:
                yield folder / "conftest.py"


class Tests:
    """All files of tests of a checkout, read once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._modules: dict[Path, Module] = {}
        self._asserting: dict[Path, dict[str, bool]] = {}
        self._tallies: dict[ast.AST, tuple[int, Counter[str]]] = {}

    def module(self, path: Path) -> Module:
        """Read a file, once."""
        if path not in self._modules:
            self._modules[path] = Module(path, self._root)
        return self._modules[path]

    def asserting(self, module: Module) -> dict[str, bool]:
        """Names a test of the file may call or ask for that assert; the value says whether it is a fixture."""
        if module.path not in self._asserting:
            known = self._asserting[module.path] = {}
            for source in module.sources:
                known |= self.asserting(self.module(source))
            known |= self._own(module, known)
        return self._asserting[module.path]

    def _own(self, module: Module, known: dict[str, bool]) -> dict[str, bool]:
        """Names of the file's own that assert, by themselves or through one another."""
        found: dict[str, bool] = {}
        while True:
            names = {**known, **found}
            more = {
                name: False
                for name, functions in module.functions.items()
                if not name.startswith("test_") and any(self.count(function, names) for function in functions)
            } | {name: True for name, function in module.fixtures.items() if self.count(function, names)}
            if more.keys() <= found.keys():
                return found
            found |= more

    def count(self, node: ast.AST, names: dict[str, bool]) -> int:
        """Count the assertions within a node: each assert, each call of what asserts."""
        if node not in self._tallies:
            self._tallies[node] = _tally(node)
        own, calls = self._tallies[node]
        return own + sum(times for name, times in calls.items() if name in names)


def _tally(node: ast.AST) -> tuple[int, Counter[str]]:
    """Count the assertions that stand within a node itself, and what it calls besides."""
    own, calls = 0, Counter[str]()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call) and (name := called(inner)) not in ASSERTING:
            calls[name] += 1
        elif isinstance(inner, ast.Assert | ast.Call) or (isinstance(inner, ast.Raise) and _raises_assertion(inner)):
            own += 1
    return own, calls


def _raises_assertion(node: ast.Raise) -> bool:
    return node.exc is not None and ast.unparse(node.exc).startswith("AssertionError")


def swallows(function: Function, asserts: set[str]) -> bool:
    """Say whether a function catches what an assertion in it would raise, and goes on."""
    for node in ast.walk(function):
        if isinstance(node, ast.Try | ast.TryStar):
            guarded = ast.Module(node.body, [])
            for handler in node.handlers:
                fails = any(
                    isinstance(inner, ast.Raise | ast.Assert) or (isinstance(inner, ast.Call) and called(inner) in asserts)
                    for inner in ast.walk(handler)
                )
                if _is_broad(handler.type) and not fails and _does_something(guarded):
                    return True
        if isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                call = item.context_expr
                if isinstance(call, ast.Call) and called(call) == "suppress" and any(map(_is_broad, call.args)):
                    return True
    return False


def _is_broad(kind: ast.expr | None) -> bool:
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(one is None or ast.unparse(one).rpartition(".")[2] in _BROAD for one in kinds)


def _does_something(node: ast.AST) -> bool:
    return any(isinstance(inner, ast.Assert | ast.Call) for inner in ast.walk(node))
