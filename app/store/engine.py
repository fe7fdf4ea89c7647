"""The database's engine: write transactions, consistent reads, and the schema's migrations."""

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
from sqlalchemy.engine.url import URL, make_url

from app.domain.errors import NotReady

BUSY_TIMEOUT_MS: Final = 10_000
_MIGRATION_LOCK: Final = 0x51_67_68_74  # number of the lock that keeps two migrations apart on Postgres


def utc_now() -> datetime:
    """The moment now, aware and in UTC."""
    return datetime.now(UTC)


class Store:
    """A database, used from threads and shared with other processes.

    `url` is SQLAlchemy's: `sqlite:///file` or `postgresql+psycopg://…`. Call `migrate` before the first use.
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self._writes = _open(self.url)
        self._reads = _open(self.url, read_only=True)
        # SQLite lets one writer in; threads that queue here need not poll the file for their turn
        self._turn = threading.RLock() if self._writes.dialect.name == "sqlite" else nullcontext()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a write transaction: committed at the end of the block, rolled back when it raises."""
        with self._turn, self._writes.begin() as tx:
            yield tx

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read transaction: all that is read in it is of one moment, and nothing can be written."""
        with self._reads.begin() as tx:
            yield tx

    def close(self) -> None:
        """Close every connection."""
        self._reads.dispose()
        self._writes.dispose()


def migrate(url: str, folder: Path) -> None:
    """Bring the database's schema to the newest version in `folder` (the migrations); make the database where it is missing.

    Raise NotReady where the database was written by a newer Sightline.
    """
    with _migration(url, folder) as config:
        command.upgrade(config, "head")


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
    engine = _open(make_url(url), foreign_keys=False)
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


def _open(url: URL, *, read_only: bool = False, foreign_keys: bool = True) -> Engine:
    if url.get_backend_name() != "sqlite":
        level = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True} if read_only else {}
        return sa.create_engine(url, pool_pre_ping=True, max_overflow=32, execution_options=level)
    if not url.database or url.database == ":memory:":
        raise NotReady.because("the database must be a file, since several processes share it")
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
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
