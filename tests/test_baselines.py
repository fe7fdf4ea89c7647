"""Compares what the program shows to others with what is kept: nothing public changes unseen.

`make baselines` accepts a deliberate change; it stands in the same commit as the change, where a reviewer sees both.
"""

import ast
import difflib
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import PydanticUndefined

from app.settings import Settings, bundled

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "tests" / "baselines"
SCHEMA, OPENAPI, CONTROLS, CENSUS, SETTINGS = (
    KEPT / "schema.sql",
    KEPT / "openapi.json",
    KEPT / "control-ids.txt",
    KEPT / "tests.txt",
    ROOT / "docs" / "SETTINGS.md",
)
ASSERTING = {"pytest.raises", "pytest.warns", "pytest.fail", "expect"}
LIVE = {"connection-state", "pause-updates"}
PROMISED = {  # pages and their control ids, as promised in docs/REQUIREMENTS.md
    "/": {"new-job-form", "source-input", "plugin-picker", "device-selector", "submit-job", "job-list", *LIVE},
    "/jobs": {"job-list"},
    "/jobs/{id}": {
        "job-status",
        "progress-bar",
        "overlay-stream",
        "overlay-image",
        "overlay-boxes",
        "toggle-boxes",
        "toggle-labels",
        "fps-slider",
        "plugin-inspector",
        "plugin-health",
        "device-usage",
        "device-decision",
        "job-breakdown",
        "job-warnings",
        "cancel-job",
        "pause-job",
        "resume-job",
        "retry-job",
        *LIVE,
    },
    "/plugins": {"plugin-list"},
    "/plugins/{id}": {"plugin-inspector", "plugin-health"},
    "/devices": {"device-usage"},
    "/stories": set(),
}


def compare(kept: Path, now: str) -> str:
    """Give a unified diff from what is kept to what is now, with the command that accepts it; empty where they are the same."""
    before = kept.read_text(encoding="utf-8") if kept.is_file() else ""
    if before == now:
        return ""
    name = kept.relative_to(ROOT).as_posix() if kept.is_relative_to(ROOT) else kept.name
    diff = difflib.unified_diff(before.splitlines(), now.splitlines(), f"{name} (kept)", f"{name} (now)", lineterm="", n=2)
    wanted = "differs from what is kept" if kept.is_file() else "is not kept yet"
    return "\n".join([f"{name} {wanted}. If the change is meant, accept it: make baselines", "", *diff])


@pytest.fixture
def hold(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compare with what is kept, or keep it: `hold(path, text)`."""

    def hold_(kept: Path, now: str) -> None:
        if request.config.getoption("--accept-baselines"):
            kept.write_text(now, encoding="utf-8")
        difference = compare(kept, now)
        if difference:
            pytest.fail(difference, pytrace=False)

    return hold_


# ---- what the program shows now


def schema_now(folder: Path) -> str:
    """Schema of a freshly migrated database, as SQLite writes it down."""
    from app.store.engine import migrate

    migrate(f"sqlite:///{folder / 'fresh.db'}", bundled("migrations"))
    connection = sqlite3.connect(folder / "fresh.db")
    try:
        rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type DESC, name").fetchall()
    finally:
        connection.close()
    statements = ["\n".join(line.rstrip() for line in sql.strip().splitlines()) for (sql,) in rows]
    return "-- Schema of a freshly migrated SQLite database.\n\n" + ";\n\n".join(statements) + ";\n"


def census_now(root: Path) -> str:
    """Number of test functions and of assertions in each folder of tests, counted in the source."""
    tests, assertions = Counter[str](), Counter[str]()
    for path in sorted([*root.glob("tests/**/*.py"), *root.glob("plugins/**/test_*.py")]):
        folder = path.parent.relative_to(root).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                tests[folder] += 1
            asserted = isinstance(node, ast.Assert) or (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) in ("pytest.raises", "pytest.warns", "pytest.fail", "expect")
            )
            assertions[folder] += asserted
    rows = [f"{folder}: {tests[folder]} tests, {assertions[folder]} assertions" for folder in sorted(tests)]
    total = f"all: {sum(tests.values())} tests, {sum(assertions[folder] for folder in tests)} assertions"
    return "\n".join(["# Tests and assertions in each folder, counted in the source.", *rows, total, ""])


def settings_now() -> str:
    """The page of settings, written from the settings themselves."""
    lines = [
        "# Settings",
        "",
        "Sightline is set by the environment and by nothing else. `sightline serve --help-settings` prints the same list.",
        "This page is written by `make baselines` from `app/settings.py`; a test compares the two.",
        "",
        "| setting | default | what it does |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = "by the machine" if field.default is PydanticUndefined else f"`{json.dumps(field.default)}`"
        lines.append(f"| `SIGHTLINE_{name.upper()}` | {default} | {field.description} |")
    return "\n".join([*lines, ""])


class Ids(HTMLParser):
    """Collects the ids of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element's id."""
        self.found += [value for name, value in attrs if name == "id" and value]


@pytest.fixture(scope="module")
def pages(module_servers: Any, clip: Path, wait_until: Callable[..., Any]) -> dict[str, list[str]]:
    """Ids of every page as a real server serves it, with a job that runs and one that has ended."""
    server = module_servers.start("--demo")
    with server.client() as client:
        with clip.open("rb") as file:
            made = client.post(
                "/v1/jobs", files={"file": ("clip.mp4", file)}, data={"plugins": "motion_mog2"}
            ).raise_for_status()
        ended = made.json()["id"]

        def jobs() -> dict[str, dict[str, Any]]:
            return {job["id"]: job for job in client.get("/v1/jobs").raise_for_status().json()["items"]}

        wait_until(lambda: jobs()[ended]["status"].startswith("completed"), "the short job to end")
        running = next(job for job in jobs() if job != ended)
        wait_until(lambda: jobs()[running]["frames_done"] > 0, "frames of the demo job")
        addresses = {
            "/": "/",
            "/jobs": "/jobs",
            "/jobs/{id} running": f"/jobs/{running}",
            "/jobs/{id} ended": f"/jobs/{ended}",
            "/plugins": "/plugins",
            "/plugins/{id}": "/plugins/people_hog",
            "/devices": "/devices",
            "/stories": "/stories",
        }
        return {
            page: Ids(client.get(path, headers={"accept": "text/html"}).raise_for_status().text).found
            for page, path in addresses.items()
        }


def controls_now(pages: dict[str, list[str]]) -> str:
    """Ids on each page; those that carry a job's id or a number stand once, with N in its place."""
    lines = ["# Ids on each page, as served; numbers and the ids of jobs are written N."]
    for page, ids in pages.items():
        lines += ["", page, *sorted({f"  {re.sub(r'(?=[0-9a-f]*[0-9])[0-9a-f]{12,}|[0-9]+', 'N', found)}" for found in ids})]
    return "\n".join([*lines, ""])


# ---- the baselines


def test_the_database_schema_is_what_is_kept(hold: Any, tmp_path: Path) -> None:
    hold(SCHEMA, schema_now(tmp_path))


def test_the_openapi_document_is_what_is_kept(hold: Any, module_server: Any) -> None:
    with module_server.client() as client:
        document = client.get("/v1/openapi.json").raise_for_status().json()
    hold(OPENAPI, json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def test_the_ids_on_every_page_are_what_is_kept(hold: Any, pages: dict[str, list[str]]) -> None:
    hold(CONTROLS, controls_now(pages))


def test_the_number_of_tests_and_assertions_is_what_is_kept(hold: Any) -> None:
    hold(CENSUS, census_now(ROOT))


def test_the_page_of_settings_says_what_the_settings_say(hold: Any) -> None:
    hold(SETTINGS, settings_now())


@pytest.mark.parametrize("page", PROMISED)
def test_every_promised_control_is_on_its_page(page: str, pages: dict[str, list[str]]) -> None:
    found = {one for name, ids in pages.items() if name.split()[0] == page for one in ids}
    assert sorted(PROMISED[page] - found) == []


def test_no_page_has_an_id_twice(pages: dict[str, list[str]]) -> None:
    twice = {page: [one for one, count in Counter(ids).items() if count > 1] for page, ids in pages.items()}
    assert {page: ids for page, ids in twice.items() if ids} == {}


# ---- that each can fail


def test_a_difference_is_told_as_a_diff_with_the_command_that_accepts_it(tmp_path: Path) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text("a: 1\nb: 2\nc: 3\n")
    told = compare(kept, "a: 1\nb: 5\nc: 3\n").splitlines()
    assert told[0] == "kept.txt differs from what is kept. If the change is meant, accept it: make baselines"
    assert told[2:] == ["--- kept.txt (kept)", "+++ kept.txt (now)", "@@ -1,3 +1,3 @@", " a: 1", "-b: 2", "+b: 5", " c: 3"]


def test_a_missing_baseline_is_told_and_an_equal_one_is_not(tmp_path: Path) -> None:
    assert compare(tmp_path / "new.txt", "a\n").startswith("new.txt is not kept yet.")
    (tmp_path / "new.txt").write_text("a\n")
    assert compare(tmp_path / "new.txt", "a\n") == ""


def test_the_census_sees_a_removed_test_and_a_removed_assertion(tmp_path: Path) -> None:
    folder = tmp_path / "tests" / "unit"
    folder.mkdir(parents=True)
    file = folder / "test_x.py"
    two = (
        "def test_a():\n    assert 1\n    with pytest.raises(ValueError):\n        f()\n\n\nasync def test_b():\n    assert 2\n"
    )
    file.write_text(two)
    assert "tests/unit: 2 tests, 3 assertions" in census_now(tmp_path)
    file.write_text(two.replace("async def test_b", "async def b"))
    assert "tests/unit: 1 tests, 3 assertions" in census_now(tmp_path)
    file.write_text(two.replace("    assert 1\n", ""))
    assert "tests/unit: 2 tests, 2 assertions" in census_now(tmp_path)


def test_the_ids_of_a_page_are_read_from_its_html() -> None:
    html = '<main id="job-list"><a id=job-019b7d2f4a6e3c51><svg><rect id="box-12"/></svg><p data-id="no">id="no"</p></main>'
    assert Ids(html).found == ["job-list", "job-019b7d2f4a6e3c51", "box-12"]
    assert controls_now({"/": Ids(html).found}).splitlines()[2:] == ["/", "  box-N", "  job-N", "  job-list"]
