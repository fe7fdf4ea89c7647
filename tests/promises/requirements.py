"""Promise 8: docs/REQUIREMENTS.md: every requirement has tests, and every test named there exists and ran."""

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from tests.promises.change import Kind, Part, text_of
from tests.promises.promise import Baseline, Promise, Rule
from tests.promises.subject import Subject

FILE: Final = "tests/baselines/requirements.txt"
PAGE: Final = "docs/REQUIREMENTS.md"
RECORDS: Final = ".pytest_cache/ran"  # what the last whole run of `make test` and of `make soak` ran: tests/ran.py writes it
_PLANNED: Final = re.compile(r"planned \(issue [3-8]\)")
_NAMED: Final = re.compile(r"`((?:tests|plugins)/[\w./-]+\.py)::(\w+)`")


class Requirement(NamedTuple):
    """One row: its number, what is required, and the cell that names its tests."""

    number: str
    text: str
    proof: str

    @property
    def tests(self) -> list[tuple[str, str]]:
        """Files and names of the tests that prove it."""
        return _NAMED.findall(self.proof)

    @property
    def is_planned(self) -> bool:
        """Whether it waits for an issue."""
        return bool(_PLANNED.search(self.proof))


def read(page: str) -> list[Requirement]:
    """Read the rows of every table on the page."""
    rows = [re.fullmatch(r"\| (\d[\w.]*) \| (.+?) \| (.*) \|", line) for line in page.splitlines()]
    return [Requirement(*row.groups()) for row in rows if row]


def show(subject: Subject) -> str:
    """List every requirement, and whether it is proven or planned."""
    rows = read((subject.root / PAGE).read_text(encoding="utf-8"))
    return text_of("Requirements, each proven or planned.", {f"requirement {row.number}": _state(row) for row in rows})


def weigh(part: Part) -> Kind:
    """A requirement that is gone or not proven any more is breaking."""
    proven = part.before is None or (part.now == "proven" and not part.new_name)
    return Kind.ADDITIVE if proven else Kind.BREAKING


def flaws(page: str, root: Path) -> Iterator[str]:
    """Say what is wrong on the page: a test that does not exist, a row that proves nothing, a number twice."""
    rows = read(page)
    counts = Counter(row.number for row in rows)
    yield from (f"Requirement {number} stands {count} times." for number, count in counts.items() if count > 1)
    lines = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| no. |")]
    if len(lines) != len(rows):
        yield f"{len(lines) - len(rows)} rows of {PAGE} cannot be read."
    for row in rows:
        missing = [f"{file}::{name}" for file, name in row.tests if name not in _tests_in(root / file)]
        yield from (f"Requirement {row.number} names {test}, which does not exist." for test in missing)
        rest = re.sub(r"<br>|\s", "", _NAMED.sub("", _PLANNED.sub("", row.proof)))
        if rest or not (row.tests or row.is_planned):
            yield f"Requirement {row.number} names no test and is not planned: {row.proof!r}."


def on_the_page(subject: Subject) -> Iterator[str]:
    """Say what is wrong on this checkout's page."""
    yield from flaws((subject.root / PAGE).read_text(encoding="utf-8"), subject.root)


def not_run(rows: list[Requirement], records: Mapping[str, Mapping[str, str]], root: Path) -> Iterator[str]:
    """Say which named test did not run, or did not pass, in the last whole run of its kind, where there was one."""
    for row in rows:
        for file, name in row.tests:
            test = f"{file}::{name}"
            kinds = [kind for kind in records if test in records[kind]]
            if not kinds and ("soak" in records if _is_soak(root / file, name) else "test" in records):
                yield f"Requirement {row.number} names {test}, which did not run."
            for kind in kinds:
                if records[kind][test] == "failed":
                    yield f"Requirement {row.number} names {test}, which failed in `make {kind}`."


def did_not_run(subject: Subject) -> Iterator[str]:
    """Say which test that the page names did not run."""
    folder = subject.root / RECORDS
    records = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    yield from not_run(read((subject.root / PAGE).read_text(encoding="utf-8")), records, subject.root)


def _state(row: Requirement) -> str:
    return "planned" if row.is_planned or not row.tests else "proven"


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8") if file.is_file() else "")


def _tests_in(file: Path) -> set[str]:
    functions = (node for node in ast.walk(_tree(file)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {function.name for function in functions if function.name.startswith("test_")}


def _is_soak(file: Path, name: str) -> bool:
    """Say whether a test is one of `make soak` alone: marked so itself, or its whole file."""
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Assign) and "pytestmark" in map(ast.unparse, node.targets):
            if re.search(r"\bmark\.(soak|cuda)\b", ast.unparse(node.value)):
                return True
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return any(re.search(r"^pytest\.mark\.soak\b", ast.unparse(decorator)) for decorator in node.decorator_list)
    return False


REQUIREMENTS = Promise(
    "requirements",
    "every requirement has tests, each of which exists and ran",
    baselines=(Baseline(FILE, show, weigh=weigh),),
    rules=(Rule("every requirement names tests that exist", on_the_page), Rule("every test that is named ran", did_not_run)),
)
