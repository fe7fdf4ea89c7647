"""How promises are compared: what breaks is told from what is added, and what is counted is counted right."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.promises.accept import CHANGES, NeedsReason, accept
from tests.promises.answers import Answer, faults
from tests.promises.census import census, say, weigh
from tests.promises.change import Kind, Part, compare, parts_of, text_of
from tests.promises.command_line import weigh_command
from tests.promises.every import PROMISES
from tests.promises.json_schema import schema_parts, weigh_field
from tests.promises.migrations import losses, round_trips
from tests.promises.openapi import parts as openapi_parts
from tests.promises.promise import Baseline, Promise
from tests.promises.requirements import flaws, not_run, read
from tests.promises.sdk import weigh_name
from tests.promises.subject import ROOT, Subject
from tests.ran import Ran

MIGRATION = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = {version!r}, {before!r}
def upgrade():
    {up}
def downgrade():
    {down}
"""


# ---- parts, and what became of them


def test_what_is_gone_new_changed_and_renamed_is_told_in_a_sentence_each() -> None:
    before = {"Box.x": "float", "Box.iou(other)": "1, Box", "Size": "class", "Box.y": "float"}
    now = {"Box.x": "int", "Box.iou(another)": "1, Box", "Box.y": "float", "Point": "tuple"}
    assert [part.sentence for part in compare(before, now)] == [
        "Box.x was float and is int.",
        "Box.iou(other) is now called Box.iou(another).",
        "Size is gone (it was class).",
        "Point is new: tuple.",
    ]


def test_two_that_could_be_the_renamed_one_are_told_as_gone_and_new() -> None:
    told = [part.sentence for part in compare({"A.x": "int"}, {"A.y": "int", "A.z": "int"})]
    assert told == ["A.x is gone (it was int).", "A.y is new: int.", "A.z is new: int."]


def test_a_part_s_diff_shows_it_before_and_now() -> None:
    assert Part("A.x", "int", "str").diff == "- A.x = int\n+ A.x = str"
    assert Part("A.x", "int", "int", "A.y").diff == "- A.x = int\n+ A.y = int"
    assert Part("A.x", None, "str").diff == "+ A.x = str"


def test_a_kept_file_is_read_back_as_it_was_written() -> None:
    parts = {"a story: with = in it": "", "sightline run --set": "option, text", "x": "1"}
    assert parts_of(text_of("What it is.", {"x y": "1", "z": ""})) == {"x y": "1", "z": ""}
    assert parts_of(text_of("What it is.", parts))["sightline run --set"] == "option, text"


def kept(root: Path, shown: str, **options: Any) -> Baseline:
    """A baseline of a file in `root` that shows this now."""
    return Baseline("kept.txt", lambda _subject: shown, **options)


def test_a_missing_baseline_an_equal_one_and_one_that_reads_differently_are_told_apart(tmp_path: Path) -> None:
    subject, shown = Subject(tmp_path), text_of("What it is.", {"a": "1"})
    (missing,) = kept(tmp_path, shown).changes("it", subject)
    assert (missing.kind, missing.sentence) == (Kind.MISSING, "kept.txt is missing: nothing is kept to compare with.")
    (tmp_path / "kept.txt").write_text(shown)
    assert list(kept(tmp_path, shown).changes("it", subject)) == []
    (worded,) = kept(tmp_path, shown.replace("What", "How")).changes("it", subject)
    assert worded.kind is Kind.ADDITIVE
    assert worded.diff.splitlines()[2:] == ["@@ -1,2 +1,2 @@", "-# What it is.", "+# How it is.", " a = 1"]


def test_what_breaks_needs_a_reason_and_what_is_added_does_not(tmp_path: Path) -> None:
    subject = Subject(tmp_path)

    def promise(**parts: str) -> Promise:
        return Promise("it", "", (kept(tmp_path, text_of("What it is.", parts)),))

    assert list(accept(promise(a="1"), subject, "")) == ["kept.txt is accepted."]
    assert list(accept(promise(a="1", b="2"), subject, "")) == ["kept.txt is accepted."]
    before = (tmp_path / "kept.txt").read_text()
    with pytest.raises(NeedsReason, match=r"1 changes of it break what others rely on: a was 1 and is 3\."):
        list(accept(promise(a="3", b="2"), subject, ""))
    assert (tmp_path / "kept.txt").read_text() == before
    assert not (tmp_path / CHANGES).exists()
    (tmp_path / "tests" / "baselines").mkdir(parents=True)
    for reason, number in (("Three is right.", "3"), ("Four is better.", "4")):
        list(accept(promise(a=number, b="2"), subject, reason))
    told = (tmp_path / CHANGES).read_text()
    assert told.index("## it: Three is right.\n\n- breaking: a was 1 and is 3.") < told.index("## it: Four is better.")
    assert list(accept(promise(a="4", b="2"), subject, "Nothing changed.")) == []
    assert "Nothing changed" not in (tmp_path / CHANGES).read_text()


# ---- what breaks, and what only adds


@pytest.mark.parametrize(
    ("before", "now", "kind"),
    [
        (None, "optional, string · given", Kind.ADDITIVE),
        (None, "required, string · given", Kind.BREAKING),
        (None, "required, string · answered", Kind.ADDITIVE),
        ("required, string · answered", None, Kind.BREAKING),
        ("required, string · answered", "optional, string · answered", Kind.BREAKING),
        ("optional, string · answered", "required, string · answered", Kind.ADDITIVE),
        ("required, string · given", "optional, string · given", Kind.ADDITIVE),
        ("optional, string · given", "required, string · given", Kind.BREAKING),
        ("required, string · given and answered", "optional, string · given and answered", Kind.BREAKING),
        ("required, string · answered", "required, integer · answered", Kind.BREAKING),
    ],
)
def test_a_field_breaks_those_who_give_it_or_those_who_read_it(before: str | None, now: str | None, kind: Kind) -> None:
    assert weigh_field(Part("Job.name", before, now)) is kind


def test_the_parts_of_a_schema_say_what_each_field_holds() -> None:
    schema = {
        "type": "object",
        "required": ["a"],
        "properties": {
            "a": {"type": "array", "items": {"$ref": "#/components/schemas/Box"}, "description": "Words."},
            "b": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]},
        },
    }
    assert dict(schema_parts("X", schema)) == {
        "X": "object",
        "X.a": "required, list of Box",
        "X.b": "optional, integer (minimum 0) or null",
    }
    assert dict(schema_parts("Y", {"type": "string", "enum": ["on", "off"]})) == {
        "Y": "string",
        "Y =on": "allowed",
        "Y =off": "allowed",
    }


def test_the_document_s_parts_say_who_gives_and_who_is_answered() -> None:
    told = openapi_parts((ROOT / "tests/baselines/openapi.json").read_text(encoding="utf-8"))
    assert told["JobDocument.id"] == "required, string · answered"
    assert told["JobRequest.loop"].endswith(" · given")
    assert told["JobStatus =queued"] == "allowed · answered"
    assert told["GET /v1/jobs query limit"] == "optional, integer (minimum 1) · given"
    assert told["POST /v1/jobs answer 429"] == "application/problem+json of ProblemDocument · answered"
    assert told["GET /v1/insights event status"] == "InsightStatus, fact"


def test_options_arguments_and_words_of_help_are_weighed() -> None:
    assert weigh_command(Part("sightline run --x", None, "option, text — Words.")) is Kind.ADDITIVE
    assert weigh_command(Part("sightline run --x", None, "option, text, required")) is Kind.BREAKING
    assert weigh_command(Part("sightline run --x", "option, text — Words.", "option, text — Others.")) is Kind.ADDITIVE
    assert weigh_command(Part("sightline run --x", "option, text", "flag, boolean")) is Kind.BREAKING
    assert weigh_name(Part("Box.iou(other)", None, "2, Box, default None")) is Kind.ADDITIVE
    assert weigh_name(Part("Box.iou(other)", None, "2, Box")) is Kind.BREAKING
    assert weigh_name(Part("Box.area", None, "returns float")) is Kind.ADDITIVE


PROBLEM = {"type": "/problems/x", "title": "X", "status": 404, "detail": "It is not there."}
HELLO = {"at": "2026-01-31T12:00:00Z", "head": 3, "oldest": 1, "resumed_from": None, "gap": False}


@pytest.mark.parametrize(
    ("path", "status", "kind", "body", "told"),
    [
        ("/v1/jobs", 200, "application/json", {"items": [], "next_cursor": None}, None),
        ("/v1/jobs", 200, "application/json", {"items": []}, "GET /v1/jobs answered 200 without the required next_cursor."),
        (
            "/v1/jobs",
            200,
            "application/json",
            {"items": "none", "next_cursor": None},
            "GET /v1/jobs answered 200 with items that does not fit: 'none' is not of type 'array'.",
        ),
        ("/v1/jobs", 200, "text/html", {}, "GET /v1/jobs answered 200 as text/html, and application/json is promised."),
        ("/v1/jobs", 418, "application/json", {}, "GET /v1/jobs answered 418, which the document does not know."),
        ("/v1/jobs/{id}", 404, "application/problem+json", PROBLEM, None),
        (
            "/v1/jobs/{id}",
            404,
            "application/problem+json",
            {name: value for name, value in PROBLEM.items() if name != "detail"},
            "GET /v1/jobs/{id} answered 404 without the required detail.",
        ),
        ("/v1/insights", 200, "text/event-stream", ("hello", HELLO), None),
        (
            "/v1/insights",
            200,
            "text/event-stream",
            ("hello", {name: value for name, value in HELLO.items() if name != "head"}),
            "GET /v1/insights answered 200 and told hello without the required head.",
        ),
        (
            "/v1/insights",
            200,
            "text/event-stream",
            ("song", {}),
            "GET /v1/insights answered 200 and told song, which the document does not know.",
        ),
    ],
)
def test_a_real_answer_that_is_not_what_the_document_says_is_named(
    path: str, status: int, kind: str, body: Any, told: str | None
) -> None:
    document = json.loads((ROOT / "tests/baselines/openapi.json").read_text(encoding="utf-8"))
    event = f": a comment\n\nevent: {body[0]}\nid: 3\ndata: {json.dumps(body[1])}\n\n" if isinstance(body, tuple) else ""
    came = httpx.Response(status, headers={"content-type": kind}, content=event or json.dumps(body))
    assert list(faults(document, Answer("get", path, status, came))) == ([told] if told else [])
    assert next(faults(document, Answer("get", path, 500, came))).startswith(f"GET {path} answered {status}, and 500 is right:")


# ---- tests and assertions, counted in the source


@pytest.fixture
def counted(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Count the tests of a checkout that has these files: `counted(**{"test_x": source})`."""

    def count(**sources: str) -> dict[str, str]:
        folder = tmp_path / "tests" / "unit"
        folder.mkdir(parents=True, exist_ok=True)
        for name, source in sources.items():
            (folder / f"{name}.py").write_text(source)
        return census(tmp_path)

    return count


def test_tests_and_assertions_are_counted_with_their_cases(counted: Callable[..., dict[str, str]]) -> None:
    source = """
CASES = {"a": 1, "b": 2}
@pytest.mark.parametrize("one", [1, 2, 3])
@pytest.mark.parametrize("name", CASES)
async def test_a(one, name):
    assert one
    with pytest.raises(ValueError):
        f()
class TestB:
    def test_b(self):
        expect(1)
"""
    assert counted(test_x=source) == {"tests/unit tests": "7", "tests/unit assertions": "3"}


def test_what_a_helper_and_a_fixture_assert_counts_for_the_test_that_uses_them(counted: Callable[..., dict[str, str]]) -> None:
    conftest = """
def must_be(one):
    assert one
@pytest.fixture
def clean():
    yield
    assert not left()
@pytest.fixture(name="wait")
def _wait():
    return must_be
"""
    source = """
from tests.unit.conftest import must_be
def twice(one):
    must_be(one)
def test_by_a_function():
    twice(1)
def test_by_a_fixture(clean):
    f()
def test_by_mark():
    f()
test_by_mark = 1
@pytest.mark.usefixtures("clean")
def test_by_a_marked_fixture():
    f()
def test_by_nothing():
    f()
"""
    told = counted(conftest=conftest, test_x=source)
    assert [name for name in told if "::" in name] == [
        "tests/unit/test_x.py::test_by_mark asserts nothing",
        "tests/unit/test_x.py::test_by_nothing asserts nothing",
    ]
    assert told["tests/unit assertions"] == "4"


def test_skips_empty_tests_and_swallowed_exceptions_are_named(counted: Callable[..., dict[str, str]]) -> None:
    source = '''
@pytest.mark.skip(reason="later")
def test_a():
    assert 1
def test_b():
    if x:
        pytest.skip("no")
    assert 1
def test_c():
    """Says much, does nothing."""
def test_d():
    try:
        assert f()
    except Exception:
        pass
def test_e():
    with contextlib.suppress(AssertionError):
        assert f()
def test_f():
    try:
        f()
    except ValueError:
        pass
    assert 1
def test_g():
    try:
        assert f()
    except Exception:
        pytest.fail("it failed")
'''
    told = counted(test_x=source)
    assert {name.partition("::")[2]: value for name, value in told.items() if "::" in name} == {
        "test_a is skipped or may fail": "skip(reason='later')",
        "test_b may skip itself": "skip('no')",
        "test_c is empty": "",
        "test_d swallows exceptions": "",
        "test_e swallows exceptions": "",
    }


def test_fewer_assertions_and_weaker_tests_break_and_more_do_not() -> None:
    fewer, more = Part("tests/web assertions", "9", "7"), Part("tests/web tests", "9", "10")
    assert (weigh(fewer), say(fewer)) == (Kind.BREAKING, "tests/web has 7 assertions, 2 fewer than kept.")
    assert (weigh(more), say(more)) == (Kind.ADDITIVE, "tests/web has 10 tests, 1 more than kept.")
    weaker, mended = Part("tests/x.py::test_y asserts nothing", None, ""), Part("tests/x.py::test_y asserts nothing", "", None)
    assert (weigh(weaker), say(weaker)) == (Kind.BREAKING, "tests/x.py::test_y asserts nothing.")
    assert (weigh(mended), say(mended)) == (Kind.ADDITIVE, "tests/x.py::test_y asserts nothing no more.")
    assert weigh(Part("tests/web tests", "9", None)) is Kind.BREAKING


# ---- migrations over rows


@pytest.fixture
def migrations(tmp_path: Path) -> Callable[..., Path]:
    """Write migrations into a folder of their own: each what it does forth and back."""

    def write(*steps: tuple[str, str]) -> Path:
        folder = tmp_path / "migrations"
        (folder / "versions").mkdir(parents=True)
        for name in ("env.py", "script.py.mako"):
            (folder / name).write_text((ROOT / "migrations" / name).read_text())
        for number, (up, down) in enumerate(steps, 1):
            before = str(number - 1) if number > 1 else None
            text = MIGRATION.format(version=str(number), before=before, up=up, down=down)
            (folder / "versions" / f"{number}.py").write_text(text)
        return folder

    return write


CREATED = """
    op.create_table('a', sa.Column('id', sa.Integer, primary_key=True), sa.Column('x', sa.Text))
    key = sa.ForeignKey('a.id', ondelete='CASCADE')
    op.create_table('b', sa.Column('id', sa.Integer, primary_key=True), sa.Column('a_id', sa.Integer, key))
"""
TABLES = CREATED.strip(), "op.drop_table('b'); op.drop_table('a')"


@pytest.mark.parametrize(
    ("forth", "back", "told"),
    [
        ("op.add_column('a', sa.Column('y', sa.Text))", "op.drop_column('a', 'y')", []),
        (
            "op.drop_column('a', 'x')",
            "op.add_column('a', sa.Column('x', sa.Text))",
            ["migration 2 taken back on SQLite has lost values of a.x."],
        ),
        ("op.execute('DELETE FROM b')", "pass", ["migration 2 on SQLite loses 2 of 2 rows of b."]),
        ("op.execute(\"UPDATE a SET x = 'z'\")", "pass", ["migration 2 on SQLite loses values of a.x."]),
        (
            "op.create_table('c', sa.Column('id', sa.Integer))",
            "pass",
            ["migration 2 taken back on SQLite leaves another schema: c."],
        ),
        (
            "op.add_column('a', sa.Column('y', sa.Text, nullable=False))",
            "pass",
            ["migration 2 cannot be applied to a database with rows on SQLite"],
        ),
    ],
)
def test_a_migration_that_loses_something_is_named(
    forth: str, back: str, told: list[str], migrations: Callable[..., Path], tmp_path: Path
) -> None:
    found = list(round_trips(f"sqlite:///{tmp_path / 'rows.db'}", migrations(TABLES, (forth, back)), "SQLite"))
    assert found[: len(told)] == told or [one.partition(":")[0] for one in found[:1]] == told, found
    assert bool(found) is bool(told)


def test_a_first_migration_that_leaves_something_behind_is_named(migrations: Callable[..., Path], tmp_path: Path) -> None:
    folder = migrations((TABLES[0], "op.drop_table('b')"))
    found = list(round_trips(f"sqlite:///{tmp_path / 'rows.db'}", folder, "SQLite"))
    assert found[0].startswith("migration 1 taken back on SQLite leaves a, a.id, a.x")


def test_a_table_dropped_on_purpose_is_no_loss_until_it_should_be_there_again() -> None:
    before, now = {"a": [{"x": 1}], "b": [{"y": 2}]}, {"a": [{"x": 1}]}
    assert list(losses(before, now, whole=False)) == []
    assert list(losses(before, now, whole=True)) == ["the table b"]


# ---- requirements


@pytest.mark.parametrize(
    ("proof", "told"),
    [
        ("`tests/test_x.py::test_gone`", "Requirement 1.1 names tests/test_x.py::test_gone, which does not exist."),
        ("`tests/gone.py::test_it`", "Requirement 1.1 names tests/gone.py::test_it, which does not exist."),
        ("", "Requirement 1.1 names no test and is not planned: ''."),
        ("planned (issue 9)", "Requirement 1.1 names no test and is not planned: 'planned (issue 9)'."),
        ("looked at by hand", "Requirement 1.1 names no test and is not planned: 'looked at by hand'."),
        (
            "`tests/test_x.py::test_it` and by hand",
            "Requirement 1.1 names no test and is not planned: '`tests/test_x.py::test_it` and by hand'.",
        ),
        ("`tests/test_x.py::test_it`<br>`tests/test_x.py::test_two`", None),
        ("planned (issue 5)", None),
    ],
)
def test_a_row_that_proves_nothing_is_told(proof: str, told: str | None, tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    source = "def test_it():\n    pass\n\n\nclass TestX:\n    async def test_two(self):\n        pass\n"
    (tmp_path / "tests" / "test_x.py").write_text(source)
    assert list(flaws(f"| 1.1 | It works. | {proof} |", tmp_path)) == ([told] if told else [])


def test_a_number_used_twice_and_a_row_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    page = (
        "| 1.1 | It works. | planned (issue 3) |\n| 1.1 | It works too. | planned (issue 3) |\n| one | It | planned (issue 3) |"
    )
    told = ["Requirement 1.1 stands 2 times.", "1 rows of docs/REQUIREMENTS.md cannot be read."]
    assert list(flaws(page, tmp_path)) == told


def test_a_named_test_that_did_not_run_or_failed_is_told(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    source = "@pytest.mark.soak\ndef test_long():\n    pass\n\n\ndef test_it():\n    pass\n\n\ndef test_two():\n    pass\n"
    (tmp_path / "tests" / "x.py").write_text(source)
    rows = read("| 1.1 | It. | `tests/x.py::test_it`<br>`tests/x.py::test_two`<br>`tests/x.py::test_long` |")
    ran = {"tests/x.py::test_it": "failed", "tests/x.py::test_other": "passed"}
    assert list(not_run(rows, {}, tmp_path)) == []
    assert list(not_run(rows, {"test": ran}, tmp_path)) == [
        "Requirement 1.1 names tests/x.py::test_it, which failed in `make test`.",
        "Requirement 1.1 names tests/x.py::test_two, which did not run.",
    ]
    told = list(not_run(rows, {"soak": {}}, tmp_path))
    assert told == ["Requirement 1.1 names tests/x.py::test_long, which did not run."]


def test_what_ran_is_recorded_with_the_worst_end_of_its_cases_and_amended(tmp_path: Path) -> None:
    def run(before: dict[str, str], *ends: tuple[str, str, str]) -> dict[str, str]:
        ran = Ran(tmp_path / "ran.json", before)
        for test, when, outcome in ends:
            ran.pytest_runtest_logreport(pytest.TestReport(test, ("", 0, ""), {}, outcome, None, when))
        ran.pytest_sessionfinish()
        told: dict[str, str] = json.loads((tmp_path / "ran.json").read_text())
        return told

    first = run(
        {},
        ("tests/x.py::test_a[1]", "setup", "passed"),
        ("tests/x.py::test_a[1]", "call", "failed"),
        ("tests/x.py::test_a[a::b]", "call", "passed"),
        ("tests/x.py::TestX::test_b", "setup", "skipped"),
        ("tests/x.py::test_c", "setup", "passed"),
    )
    assert first == {"tests/x.py::test_a": "failed", "tests/x.py::test_b": "skipped"}
    assert run(first, ("tests/x.py::test_a[1]", "call", "passed"))["tests/x.py::test_a"] == "passed"


# ---- the command


@pytest.mark.timeout(300)
def test_the_command_tells_what_it_looked_at_and_refuses_what_it_does_not_know(
    sightline: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    answer = sightline("check", "settings", "stories", "--json", patience_s=120)
    assert (answer.returncode, json.loads(answer.stdout)) == (0, {"items": [], "next_cursor": None, "not_looked_at": []})
    unknown = sightline("check", "weather", patience_s=120)
    assert unknown.returncode == 2
    assert unknown.stderr.startswith(f"There is no promise weather; there are {', '.join(PROMISES)}.")
