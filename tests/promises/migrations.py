"""Promise 2, second half: a released migration stays as it is, is applied to a database with rows, and is taken back."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from alembic.script import Script, ScriptDirectory

from app.store.engine import downgrade, migrate
from tests.promises.change import Part, text_of
from tests.promises.promise import Baseline, Promise, Rule
from tests.promises.rows import Rows, fill, read
from tests.promises.schema import schema_of, show_postgres, show_sqlite, weigh
from tests.promises.subject import Subject

KEPT: Final = "tests/baselines"


def show(subject: Subject) -> str:
    """List the migrations in their order, each with the hash of its file."""
    files = {script.revision: Path(script.path).read_bytes() for script in _chain(subject.root / "migrations")}
    hashes = {f"migration {version}": hashlib.sha256(text).hexdigest() for version, text in files.items()}
    return text_of("Released migrations, each with the SHA-256 of its file: a new one is added, none is changed.", hashes)


def say(part: Part) -> str:
    """Say what became of a migration."""
    if part.before is None or part.now is None:
        return f"{part.name} is {'new' if part.before is None else 'gone'}."
    return f"{part.name} was released and its file has changed: databases out there are not migrated again."


def faults_on_sqlite(subject: Subject) -> Iterator[str]:
    """Take every migration forth and back over rows in SQLite."""
    yield from round_trips(f"sqlite:///{subject.folder / 'rows.db'}", subject.root / "migrations", "SQLite")


def faults_on_postgres(subject: Subject) -> Iterator[str]:
    """Take every migration forth and back over rows in Postgres."""
    yield from round_trips(subject.postgres.new(empty=True), subject.root / "migrations", "Postgres")


def round_trips(url: str, folder: Path, database: str) -> Iterator[str]:
    """Apply each migration to a database with rows in every table, take it back, and say what is not as it was."""
    before: str | None = None
    for script in _chain(folder):
        version = script.revision
        trip = _first(url, folder, version, database) if before is None else _next(url, folder, before, version, database)
        if faults := list(trip):
            yield from faults
            return  # what comes behind it stands on a database that is not as it should be
        migrate(url, folder, version)
        before = version


def _first(url: str, folder: Path, version: str, database: str) -> Iterator[str]:
    """The first one has no rows before it: taken back it leaves nothing, and goes forth again."""
    migrate(url, folder, version)
    made = schema_of(url)
    try:
        downgrade(url, folder, "base")
    except Exception as error:  # noqa: BLE001  # a migration of whoever wrote it; whatever it raises is the finding
        yield f"migration {version} cannot be taken back on {database}: {_words(error)}."
        return
    if left := schema_of(url):
        yield f"migration {version} taken back on {database} leaves {', '.join(left)}."
        return
    migrate(url, folder, version)
    if schema_of(url) != made:
        yield f"migration {version} makes another schema on {database} when it is applied a second time."


def _next(url: str, folder: Path, before: str, version: str, database: str) -> Iterator[str]:
    fill(url)
    rows, schema = read(url), schema_of(url)
    try:
        migrate(url, folder, version)
    except Exception as error:  # noqa: BLE001  # a migration of whoever wrote it; whatever it raises is the finding
        yield f"migration {version} cannot be applied to a database with rows on {database}: {_words(error)}."
        return
    yield from (f"migration {version} on {database} loses {loss}." for loss in losses(rows, read(url), whole=False))
    try:
        downgrade(url, folder, before)
    except Exception as error:  # noqa: BLE001  # a migration of whoever wrote it; whatever it raises is the finding
        yield f"migration {version} cannot be taken back on {database}: {_words(error)}."
        return
    yield from (
        f"migration {version} taken back on {database} has lost {loss}." for loss in losses(rows, read(url), whole=True)
    )
    if changed := sorted(set(schema.items()) ^ set(schema_of(url).items())):
        yield f"migration {version} taken back on {database} leaves another schema: {changed[0][0]}."


def losses(before: Rows, now: Rows, *, whole: bool) -> Iterator[str]:
    """Say what is in `before` and not in `now`; a table or column dropped on purpose is lost only where the whole is wanted."""
    for table, rows in before.items():
        if table not in now:
            if whole:
                yield f"the table {table}"
        elif len(now[table]) != len(rows):
            yield f"{len(rows) - len(now[table])} of {len(rows)} rows of {table}"
        else:
            columns = [name for name in rows[0] if whole or name in now[table][0]] if rows else []
            wrong = [c for c in columns if [row[c] for row in rows] != [row.get(c) for row in now[table]]]
            yield from (f"values of {table}.{column}" for column in wrong)


def _chain(folder: Path) -> list[Script]:
    return list(reversed(list(ScriptDirectory(str(folder)).walk_revisions())))


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0].rstrip(".")


DATABASE = Promise(
    "database",
    "the schema on both databases, and migrations that lose nothing, forth and back",
    baselines=(
        Baseline(f"{KEPT}/schema.sqlite.txt", show_sqlite, weigh=weigh),
        Baseline(f"{KEPT}/schema.postgres.txt", show_postgres, weigh=weigh, needs="postgres"),
        Baseline(f"{KEPT}/migrations.txt", show, say=say),
    ),
    rules=(
        Rule("migrations go forth and back over rows in SQLite", faults_on_sqlite),
        Rule("migrations go forth and back over rows in Postgres", faults_on_postgres, needs="postgres"),
    ),
)
