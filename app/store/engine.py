"""The database's engine: write transactions, consistent reads, and the schema's migrations."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.engine.url import URL

from app.domain.errors import NotReady
from app.store.address import connect_arguments, read_address

BUSY_TIMEOUT_MS: Final = 10_000
_SQLITE_TROUBLES: Final = {  # by the error's lower byte
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
}
_MIGRATION_LOCK: Final = 0x51_67_68_74  # number of the lock that keeps two migrations apart on Postgres


class DatabaseUnavailable(NotReady):
    """The database is away, locked for too long, or out of room; asked again later, it may answer."""

    sentence = "The database cannot be used right now: {reason}."


def utc_now() -> datetime:
    """The moment now, aware and in UTC."""
    return datetime.now(UTC)


class Store:
    """A database, used from threads and shared with other processes.

    `url` is SQLAlchemy's: `sqlite:///file` or `postgresql+psycopg://…`. Call `migrate` before the first use. A transaction
    raises DatabaseUnavailable where the database is away, locked for too long or out of room: nothing of it was done then.
    """

    def __init__(self, url: str) -> None:
        self.url = read_address(url)
        self._writes = _open(self.url)
        self._reads = _open(self.url, read_only=True)
        # SQLite lets one writer in; threads that queue here need not poll the file for their turn
        self._turn = threading.RLock() if self._writes.dialect.name == "sqlite" else nullcontext()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a write transaction: committed at the end of the block, rolled back when it raises."""
        with _known_troubles(), self._turn, self._writes.begin() as tx:
            yield tx

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read transaction: all that is read in it is of one moment, and nothing can be written."""
        with _known_troubles(), self._reads.begin() as tx:
            yield tx

    def close(self) -> None:
        """Close every connection."""
        self._reads.dispose()
        self._writes.dispose()


def migrate(url: str, folder: Path, version: str = "head") -> None:
    """Bring the database's schema to a version in `folder` (the migrations); make the database where it is missing.

    Raise NotReady where the database was written by a newer Sightline, DatabaseUnavailable where it cannot be reached.
    """
    with _known_troubles(), _migration(url, folder) as config:
        command.upgrade(config, version)


def downgrade(url: str, folder: Path, version: str = "base") -> None:
    """Take the database's schema back to a version; `base` drops everything."""
    with _migration(url, folder) as config:
        command.downgrade(config, version)


def schema_version(store: Store) -> str | None:
    """Version of the database's schema; None where it was never migrated."""
    with store.read() as tx:
        return MigrationContext.configure(tx).get_current_revision()


def newest_version(folder: Path) -> str | None:
    """Version that `migrate` brings a database to."""
    return ScriptDirectory(str(folder)).get_current_head()


@contextmanager
def _migration(url: str, folder: Path) -> Iterator[Config]:
    """Give Alembic a connection in one transaction, so that a migration is done whole or not at all, and by one process.

    Foreign keys stay off: rebuilding a table in SQLite would delete the rows that point to it.
    """
    engine = _open(read_address(url), foreign_keys=False, impatient=False)
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            _refuse_unknown(connection, folder)
            config.attributes["connection"] = connection
            yield config
            if engine.dialect.name == "sqlite" and (orphans := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
                raise NotReady.because(f"a migration would leave {len(orphans)} rows that point nowhere; nothing was changed")
    finally:
        engine.dispose()


def _refuse_unknown(connection: Connection, folder: Path) -> None:
    version = MigrationContext.configure(connection).get_current_revision()
    try:
        ScriptDirectory(str(folder)).get_revisions(version or ())
    except CommandError:
        reason = f"the database has the schema {version!r}, which this version of Sightline does not know; use a newer one"
        raise NotReady.because(reason) from None


@contextmanager
def _known_troubles() -> Iterator[None]:
    """Tell a database that cannot be used right now from everything else that goes wrong in a transaction."""
    try:
        yield
    except sa.exc.TimeoutError:
        raise DatabaseUnavailable.because("no connection became free") from None
    except sa.exc.DBAPIError as error:
        if not isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError):
            raise
        code = getattr(error.orig, "sqlite_errorcode", None)
        if code is not None and code & 0xFF not in _SQLITE_TROUBLES:
            raise
        raise DatabaseUnavailable.because((str(error.orig).splitlines() or ["it does not say why"])[0].rstrip(".")) from error


def _open(url: URL, *, read_only: bool = False, foreign_keys: bool = True, impatient: bool = True) -> Engine:
    if url.get_backend_name() != "sqlite":
        level = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True} if read_only else {}
        arguments = connect_arguments(url)
        engine = sa.create_engine(url, pool_pre_ping=True, max_overflow=32, execution_options=level, connect_args=arguments)
        if impatient:
            sa.event.listen(engine, "connect", _lose_patience_with_locks)
        return engine
    try:
        Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotReady.because(f"the folder of the database {url.database} cannot be made ({error.strerror})") from None
    engine = sa.create_engine(url, max_overflow=32)

    def set_up(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver begins nothing on its own; `begin` below does
        for pragma in (
            f"busy_timeout = {BUSY_TIMEOUT_MS}",
            "journal_mode = WAL",
            "synchronous = NORMAL",
            f"foreign_keys = {int(foreign_keys)}",
            f"query_only = {int(read_only)}",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    def begin(connection: Connection) -> None:
        # a writer takes its turn at once: a lock that is upgraded later fails instead of waiting
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    sa.event.listen(engine, "connect", set_up)
    sa.event.listen(engine, "begin", begin)
    return engine


def _lose_patience_with_locks(connection: Any, _record: object) -> None:
    """Have Postgres give up on a lock as SQLite does, and throw out who was frozen in the middle of a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {BUSY_TIMEOUT_MS}")
        cursor.execute(f"SET idle_in_transaction_session_timeout = {BUSY_TIMEOUT_MS // 2}")  # before others give up
    connection.commit()
