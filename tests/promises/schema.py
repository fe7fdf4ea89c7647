"""Promise 2, first half: every table, column, key and index of a freshly migrated database, on both databases."""

from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from app.store.engine import migrate
from tests.promises.change import Kind, Part, text_of
from tests.promises.subject import Subject

_NOT_OURS: Final = {"alembic_version"}


def show_sqlite(subject: Subject) -> str:
    """Read the schema of a new SQLite database."""
    url = f"sqlite:///{subject.folder / 'fresh.db'}"
    migrate(url, subject.root / "migrations")
    return text_of("Schema of a freshly migrated SQLite database.", schema_of(url))


def show_postgres(subject: Subject) -> str:
    """Read the schema of a new Postgres database."""
    return text_of("Schema of a freshly migrated Postgres database.", schema_of(subject.postgres.new()))


def schema_of(url: str) -> dict[str, str]:
    """Give every part of a database's schema by its name."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        tables = sorted(set(inspector.get_table_names()) - _NOT_OURS)
        return {name: value for table in tables for name, value in _of_table(inspector, table, connection.dialect)}


def weigh(part: Part) -> Kind:
    """More is additive, but for a column that must be filled and has no default: older programs cannot write it."""
    must_be_filled = " NOT NULL" in (part.now or "") and " DEFAULT " not in (part.now or "")
    of_a_table = "." in part.name and not part.name.endswith(".*")
    if part.before is None and not (of_a_table and must_be_filled):
        return Kind.ADDITIVE
    return Kind.BREAKING


def _of_table(inspector: Any, table: str, dialect: sa.Dialect) -> Iterator[tuple[str, str]]:
    yield f"{table}", "table"
    for column in inspector.get_columns(table):
        need = "" if column["nullable"] else " NOT NULL"
        default = f" DEFAULT {column['default']}" if column["default"] is not None else ""
        yield f"{table}.{column['name']}", f"{column['type'].compile(dialect=dialect)}{need}{default}"
    key = inspector.get_pk_constraint(table)
    yield f"{table} primary key {key['name']}", ", ".join(key["constrained_columns"])
    for key in sorted(inspector.get_foreign_keys(table), key=lambda key: str(key["name"])):
        where = f"{key['referred_table']}({', '.join(key['referred_columns'])})"
        then = " ".join(f"{event} {what}" for event, what in sorted(key["options"].items()))
        yield f"{table} foreign key {key['name']}", f"{', '.join(key['constrained_columns'])} to {where} {then}".rstrip()
    for rule in sorted(inspector.get_unique_constraints(table), key=lambda rule: str(rule["name"])):
        yield f"{table} unique {rule['name']}", ", ".join(rule["column_names"])
    for rule in sorted(inspector.get_check_constraints(table), key=lambda rule: str(rule["name"])):
        yield f"{table} check {rule['name']}", rule["sqltext"]
    for index in sorted(inspector.get_indexes(table), key=lambda index: str(index["name"])):
        if index.get("duplicates_constraint"):
            continue
        where = index.get("dialect_options", {}).get(f"{dialect.name}_where")
        unique = "unique, " if index["unique"] else ""
        yield (
            f"{table} index {index['name']}",
            unique + ", ".join(index["column_names"]) + ("" if where is None else f" where {where}"),
        )
