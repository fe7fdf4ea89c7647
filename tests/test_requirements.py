"""Checks docs/REQUIREMENTS.md: every requirement that is due has tests, and every test named there exists."""

import ast
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "REQUIREMENTS.md"
DUE = {  # requirements that must have tests: what issue 2 delivers and shows, and the promised public surface
    *(f"2.{number}" for number in range(1, 10)),
    *(f"2.{letter}" for letter in "abcdef"),
}
PLANNED = re.compile(r"planned \(issue [3-8]\)")
NAMED = re.compile(r"`((?:tests|plugins)/[\w./-]+\.py)::(\w+)`")


class Requirement(NamedTuple):
    """One row: its number, what is required, and the cell that names its tests."""

    number: str
    text: str
    proof: str

    @property
    def tests(self) -> list[tuple[str, str]]:
        """Files and names of the tests that prove it."""
        return NAMED.findall(self.proof)


def requirements(page: str) -> list[Requirement]:
    """Read the rows of every table on the page."""
    rows = [re.fullmatch(r"\| (\d[\w.]*) \| (.+?) \| (.*) \|", line) for line in page.splitlines()]
    return [Requirement(*row.groups()) for row in rows if row]


def defined_in(file: Path) -> set[str]:
    """Names of the tests a file defines."""
    if not file.is_file():
        return set()
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in nodes if isinstance(node, functions) and node.name.startswith("test_")}


def flaws(rows: list[Requirement], root: Path) -> list[str]:
    """Say what is wrong with the rows: a test that does not exist, a cell that proves nothing, a number used twice."""
    found = [f"{number} stands {count} times" for number, count in Counter(row.number for row in rows).items() if count > 1]
    for row in rows:
        missing = [f"{file}::{name}" for file, name in row.tests if name not in defined_in(root / file)]
        found += [f"{row.number} names {test}, which does not exist" for test in missing]
        rest = re.sub(r"<br>|\s", "", NAMED.sub("", PLANNED.sub("", row.proof)))
        if rest or not (row.tests or PLANNED.search(row.proof)):
            found.append(f"{row.number} names no test and is not planned: {row.proof!r}")
    return found


def test_every_test_named_on_the_page_exists() -> None:
    rows = requirements(PAGE.read_text(encoding="utf-8"))
    assert len(rows) > 60
    told = "\n".join(flaws(rows, ROOT))
    assert not told, f"\n{told}"


def test_every_requirement_that_is_due_has_a_test() -> None:
    rows = requirements(PAGE.read_text(encoding="utf-8"))
    assert sorted(DUE - {row.number for row in rows if row.tests and not PLANNED.search(row.proof)}) == []


def test_every_line_of_a_table_is_read() -> None:
    page = PAGE.read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| no. |")]
    assert len(lines) == len(requirements(page))


@pytest.mark.parametrize(
    ("proof", "told"),
    [
        ("`tests/test_x.py::test_gone`", "1.1 names tests/test_x.py::test_gone, which does not exist"),
        ("`tests/gone.py::test_it`", "1.1 names tests/gone.py::test_it, which does not exist"),
        ("", "1.1 names no test and is not planned: ''"),
        ("planned (issue 9)", "1.1 names no test and is not planned: 'planned (issue 9)'"),
        ("looked at by hand", "1.1 names no test and is not planned: 'looked at by hand'"),
        (
            "`tests/test_x.py::test_it` and by hand",
            "1.1 names no test and is not planned: '`tests/test_x.py::test_it` and by hand'",
        ),
        ("`tests/test_x.py::test_it`<br>`tests/test_x.py::test_two`", None),
        ("planned (issue 5)", None),
    ],
)
def test_a_row_that_proves_nothing_is_told(proof: str, told: str | None, tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    source = "def test_it():\n    pass\n\n\nclass TestX:\n    async def test_two(self):\n        pass\n"
    (tmp_path / "tests" / "test_x.py").write_text(source)
    rows = requirements(f"| 1.1 | It works. | {proof} |")
    assert flaws(rows, tmp_path) == ([told] if told else [])


def test_a_number_used_twice_is_told(tmp_path: Path) -> None:
    rows = requirements("| 1.1 | It works. | planned (issue 3) |\n| 1.1 | It works too. | planned (issue 3) |")
    assert flaws(rows, tmp_path) == ["1.1 stands 2 times"]
