"""Promise 6: how many tests and assertions each folder has, and which tests are skipped, empty or prove nothing."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.promises.assertions import ASSERTING, Function, Module, Tests, swallows
from tests.promises.change import Kind, Part, text_of
from tests.promises.promise import Baseline, Promise
from tests.promises.subject import Subject

FILE: Final = "tests/baselines/tests.txt"
_FIRST: Final = "Tests and assertions of each folder, counted in the source, and every test that is skipped or proves little."


def show(subject: Subject) -> str:
    """Count what is in the checkout."""
    return text_of(_FIRST, census(subject.root))


def census(root: Path) -> dict[str, str]:
    """Count tests and assertions of each folder, and name what is odd, test by test."""
    read = Tests(root)
    tests, assertions, odd = Counter[str](), Counter[str](), dict[str, str]()
    for path in sorted([*root.glob("tests/**/*.py"), *root.glob("plugins/**/test_*.py")]):
        folder = path.parent.relative_to(root).as_posix()
        module = read.module(path)
        names = read.asserting(module)
        assertions[folder] += read.count(module.tree, names)
        for test in (one for one in module.every_function if one.name.startswith("test_")):
            tests[folder] += cases(test, module)
            place = f"{path.relative_to(root).as_posix()}::{test.name}"
            odd |= {f"{place} {how}": why for how, why in _oddities(test, module, read, names)}
    counts = {
        f"{folder} {what}": str(count[folder])
        for folder in sorted(tests)
        for what, count in (("tests", tests), ("assertions", assertions))
    }
    return counts | dict(sorted(odd.items()))


def cases(test: Function, module: Module) -> int:
    """Count how often a test is run: the cases of each parametrisation, where they stand in the source."""
    number = 1
    for decorator in test.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("parametrize") and len(decorator.args) > 1:
            number *= _length(decorator.args[1], module)
    return number


def weigh(part: Part) -> Kind:
    """Fewer tests or assertions, or a test that proves less, is breaking."""
    if _is_count(part):
        return Kind.BREAKING if int(part.now or 0) < int(part.before or 0) else Kind.ADDITIVE
    return Kind.ADDITIVE if part.now is None and not part.new_name else Kind.BREAKING


def say(part: Part) -> str:
    """Say what became of a count, or of a test."""
    if part.new_name:
        return part.sentence
    if not _is_count(part):
        return f"{part.name}{f': {part.now}' if part.now else ''}." if part.now is not None else f"{part.name} no more."
    folder, _, what = part.name.rpartition(" ")
    before, now = int(part.before or 0), int(part.now or 0)
    return f"{folder} has {now} {what}, {abs(now - before)} {'fewer' if now < before else 'more'} than kept."


def _is_count(part: Part) -> bool:
    return part.name.endswith((" tests", " assertions"))


def _length(cases_: ast.expr, module: Module) -> int:
    if isinstance(cases_, ast.List | ast.Tuple | ast.Set):
        return len(cases_.elts)
    if isinstance(cases_, ast.Dict):
        return len(cases_.keys)
    if isinstance(cases_, ast.Name):
        for node in module.tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
            if any(isinstance(target, ast.Name) and target.id == cases_.id for target in targets):
                value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
                return _length(value, module) if value is not None and not isinstance(value, ast.Name) else 1
    return 1  # made when the tests are collected: how many cannot be read from the source


def _oddities(test: Function, module: Module, read: Tests, names: dict[str, bool]) -> Iterator[tuple[str, str]]:
    for decorator in test.decorator_list:
        told = ast.unparse(decorator)
        if told.startswith("pytest.mark.") and told.split("(")[0].rpartition(".")[2] in ("skip", "skipif", "xfail"):
            yield "is skipped or may fail", told.removeprefix("pytest.mark.")
    for node in ast.walk(test):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("pytest.skip", "pytest.xfail", "pytest.importorskip"):
            yield "may skip itself", ast.unparse(node).removeprefix("pytest.")
    statements = [one for one in test.body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
    if not [one for one in statements if not isinstance(one, ast.Pass)]:
        yield "is empty", ""
    elif not _asserts(test, module, read, names):
        yield "asserts nothing", ""
    if swallows(test, ASSERTING | names.keys()):
        yield "swallows exceptions", ""


def _asserts(test: Function, module: Module, read: Tests, names: dict[str, bool]) -> bool:
    if read.count(test, names):
        return True
    arguments = [argument.arg for argument in (*test.args.args, *test.args.kwonlyargs)]
    used = [name for decorator in test.decorator_list for name in _used_fixtures(decorator)]
    return any(names.get(name) for name in (*arguments, *used))


def _used_fixtures(decorator: ast.expr) -> list[str]:
    if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("usefixtures"):
        return [str(argument.value) for argument in decorator.args if isinstance(argument, ast.Constant)]
    return []


TESTS = Promise(
    "tests",
    "the number of tests and assertions, and the tests that prove little",
    (Baseline(FILE, show, weigh=weigh, say=say),),
)
