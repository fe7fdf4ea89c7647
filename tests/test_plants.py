"""Twelve broken things, planted one at a time in a copy of the checkout: `sightline check` names each in one sentence."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CARRIED = ("app", "plugins", "templates", "static", "samples", "migrations", "tests", "docs")
NEXT = '''"""A migration of the tests."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "next", "{head}"


def upgrade() -> None:
    {up}


def downgrade() -> None:
    {down}
'''
LOOK = """
import json, sys
from tests.promises.every import PROMISES
from tests.promises.subject import Subject
name, wanted = sys.argv[1:]
with Subject() as subject:
    piece = next(piece for piece in PROMISES[name].pieces if piece.name == wanted)
    print(json.dumps([change.sentence for change in piece.changes(name, subject)]))
"""


@dataclass
class Tree:
    """A copy of the checkout in which something is broken, and mended again."""

    root: Path
    _later: Iterator[int]

    def __post_init__(self) -> None:
        self._before: dict[Path, bytes | None] = {}

    def write(self, file: str, text: str | None) -> None:
        """Put a file there, or take it away; its time is one of its own, so that no old bytecode counts for it."""
        path = self.root / file
        self._before.setdefault(path, path.read_bytes() if path.is_file() else None)
        self._put(path, None if text is None else text.encode())

    def change(self, file: str, before: str, after: str) -> None:
        """Replace what a pattern matches; it must be there."""
        text = (self.root / file).read_text()
        changed, times = re.subn(before, after, text, count=1)
        assert times == 1, f"{file} has no {before!r} any more: plant it elsewhere"
        self.write(file, changed)

    def mend(self) -> None:
        """Put everything back as it was."""
        for path, text in self._before.items():
            self._put(path, text)
        self._before.clear()

    def _put(self, path: Path, text: bytes | None) -> None:
        if text is None:
            path.unlink(missing_ok=True)
            return
        path.write_bytes(text)
        moment = path.stat().st_mtime + 10 * next(self._later)
        os.utime(path, (moment, moment))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run this copy's own code."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("SIGHTLINE_", "PYTHONPATH"))}
        return subprocess.run([sys.executable, *arguments], cwd=self.root, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """One copy of the checkout for all plants."""
    root = tmp_path_factory.mktemp("planted")
    for folder in CARRIED:
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    shutil.copy(ROOT / "pyproject.toml", root)
    return Tree(root, count(1))


@pytest.fixture
def tree(copied: Tree) -> Iterator[Tree]:
    """The copy as it is, mended behind the test."""
    yield copied
    copied.mend()


def migration(tree: Tree, up: str, down: str) -> None:
    """Add a migration behind the newest one."""
    from app.store.engine import newest_version

    head = newest_version(tree.root / "migrations")
    tree.write("migrations/versions/next.py", NEXT.format(head=head, up=up, down=down))


def unproven(tree: Tree) -> None:
    """Take the tests out of a row of the requirements."""
    tree.change("docs/REQUIREMENTS.md", r"(\| 7\.15 \| .* \|) `.*` \|", r"\1  |")


def swallowing(tree: Tree) -> None:
    """Have a test catch what its assertion raises."""
    held = r"(def test_pixels_become_fractions_of_the_frame\(\) -> None:\n)    (assert .*\n)"
    tree.change(GEOMETRY, held, r"\1    try:\n        \2    except AssertionError:\n        pass\n")


GEOMETRY = "tests/unit/domain/test_geometry.py"
DROPPED = "op.drop_column('jobs', 'runner')", "op.add_column('jobs', sa.Column('runner', sa.Text()))"
ADDED = "op.add_column('jobs', sa.Column('mood', sa.Text()))"
FORTH_AND_BACK = "migrations go forth and back over rows in SQLite"
PLANTS: dict[str, tuple[str, str, Callable[[Tree], None], str]] = {  # the promise, its piece, what is broken, what is told
    "a renamed field": (
        "openapi",
        "openapi.json",
        lambda tree: tree.change("app/web/schemas.py", r"(finished_at: datetime \| None\n    )error:", r"\1fault:"),
        r"JobDocument\.error is now called JobDocument\.fault\.",
    ),
    "a required field made optional": (
        "openapi",
        "openapi.json",
        lambda tree: tree.change("app/web/schemas.py", r"(    error: str \| None)\n", r"\1 = None\n"),
        r"JobDocument\.error was required, string or null and is optional, string or null \(default null\)\.",
    ),
    "a dropped column": (
        "database",
        "schema.sqlite.txt",
        lambda tree: migration(tree, *DROPPED),
        r"jobs\.runner is gone \(it was TEXT\)\.",
    ),
    "an irreversible migration": (
        "database",
        FORTH_AND_BACK,
        lambda tree: migration(tree, ADDED, "raise NotImplementedError('no way')"),
        r"migration next cannot be taken back on SQLite: NotImplementedError: no way\.",
    ),
    "a missing id": (
        "controls",
        "controls.txt",
        lambda tree: tree.change("templates/fragments/job_warnings.html", 'id="job-warnings"', 'id="troubles"'),
        r"/jobs/\{id\} \(running\) #job-warnings is gone \(it was part, shown\)\.",
    ),
    "a removed assertion": (
        "tests",
        "tests.txt",
        lambda tree: tree.change(GEOMETRY, r"    assert Box.from_pixels\(576.*\n", ""),
        r"tests/unit/domain has \d+ assertions, 1 fewer than kept\.",
    ),
    "a test that swallows its exception": (
        "tests",
        "tests.txt",
        swallowing,
        rf"{GEOMETRY}::test_pixels_become_fractions_of_the_frame swallows exceptions\.",
    ),
    "a story whose component is gone": (
        "stories",
        "every story can be told",
        lambda tree: tree.write("templates/fragments/device_selector.html", None),
        r"The story device-selector--device-selector cannot be told: TemplateNotFound: .*\.",
    ),
    "a changed default": (
        "settings",
        "settings.txt",
        lambda tree: tree.change("app/settings.py", r"(lease_s: [^)]*?default=)60\.0", r"\g<1>30.0"),
        r"SIGHTLINE_LEASE_S was float, default 60\.0, at .* and is float, default 30\.0, at .*\.",
    ),
    "a changed exit code": (
        "commands",
        "exit-codes.txt",
        lambda tree: tree.change("app/cli/__init__.py", "WRONG_USAGE = 2", "WRONG_USAGE = 3"),
        r"sightline jobs show, of a job that is not there was exit code 2 and is exit code 3\.",
    ),
    "a renamed argument of the SDK": (
        "plugins",
        "sdk.txt",
        lambda tree: tree.change("app/domain/geometry.py", r"def iou\(self, other:", "def iou(self, another:"),
        r"Box\.iou\(other\) is now called Box\.iou\(another\)\.",
    ),
    "a requirement without a test": (
        "requirements",
        "every requirement names tests that exist",
        unproven,
        r"Requirement 7\.15 names no test and is not planned: ''\.",
    ),
}
MARKS = {"controls": [pytest.mark.browser]}
EACH = [pytest.param(plant, marks=MARKS.get(PLANTS[plant][0], [])) for plant in PLANTS]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("plant", EACH)
def test_a_broken_thing_is_named_in_one_sentence(plant: str, tree: Tree) -> None:
    name, piece, break_it, sentence = PLANTS[plant]
    break_it(tree)
    answer = tree.run("-c", LOOK, name, piece)
    assert answer.returncode == 0, answer.stderr
    told = json.loads(answer.stdout)
    assert [one for one in told if re.fullmatch(sentence, one)], "\n".join(told) or "nothing was told"


THROUGH_THE_COMMAND = ("a renamed field", "an irreversible migration", "a removed assertion", "a changed exit code")


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("plant", [one for one in EACH if one.values[0] in THROUGH_THE_COMMAND])
def test_the_command_names_it_too_and_ends_with_one(plant: str, tree: Tree) -> None:
    name, _, break_it, sentence = PLANTS[plant]
    break_it(tree)
    answer = tree.run("-m", "app", "check", name, "--json")
    assert answer.returncode == 1, answer.stderr
    told = json.loads(answer.stdout)["items"]
    assert [one for one in told if re.fullmatch(sentence, one["sentence"]) and one["kind"] == "breaking"], told
