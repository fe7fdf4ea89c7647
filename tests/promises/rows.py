"""Rows for any schema: every table gets some, made from its columns, parents before children; read back to be compared."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

Rows = dict[str, list[dict[str, Any]]]
_EACH: Final = 2  # rows to a table
_NOON: Final = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
_NOT_OURS: Final = {"alembic_version"}


def fill(url: str) -> None:
    """Put rows into every table that has none, each value another, every foreign key pointing to a row."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        metadata = sa.MetaData()
        metadata.reflect(connection)
        for table in metadata.sorted_tables:
            if table.name in _NOT_OURS or connection.execute(sa.select(table).limit(1)).first():
                continue
            connection.execute(sa.insert(table), [_row(table, number) for number in range(1, _EACH + 1)])


def read(url: str) -> Rows:
    """Read every row of every table, in the order of its primary key."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        metadata = sa.MetaData()
        metadata.reflect(connection)
        tables = [table for table in metadata.sorted_tables if table.name not in _NOT_OURS]
        return {
            table.name: [dict(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key)).mappings()]
            for table in tables
        }


def _row(table: sa.Table, number: int) -> dict[str, Any]:
    return {column.name: _value(column, number) for column in table.columns}


def _value(column: sa.Column[Any], number: int) -> Any:
    """Make a value of the column's type; a foreign key holds what the row of the same number has in the table it points to."""
    for key in column.foreign_keys:
        return _value(key.column, number)
    kind = column.type
    if isinstance(kind, sa.Boolean):
        return bool(number % 2)
    if isinstance(kind, sa.Integer):
        return number
    if isinstance(kind, sa.Float | sa.Numeric):
        return number + 0.25
    if isinstance(kind, sa.DateTime):
        return _NOON + timedelta(hours=number) if kind.timezone else (_NOON + timedelta(hours=number)).replace(tzinfo=None)
    if isinstance(kind, sa.LargeBinary):
        return bytes([number])
    return f"{column.name[:20]} {number}"
