"""A real Postgres for tests: found on this machine, started in a folder of its own, ended with nothing left."""

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from alembic.migration import MigrationContext

from app.settings import bundled
from app.store.engine import migrate, newest_version
from app.store.tables import fact_counter, metadata

_THROW_OUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_PATIENCE_S = 60.0
_PR_SET_PDEATHSIG = 1
_OPTIONS = {  # nothing here must outlive the tests; the time zone is one that shows where somebody forgot that there are zones
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "timezone": "Pacific/Auckland",
}


class NoPostgres(Exception):
    """This machine cannot start a Postgres; the message says why, and how to change that."""


class Postgres:
    """A Postgres where databases may be made and dropped, each with the newest schema or empty."""

    def __init__(self, address: str) -> None:
        self.address = address  # of its own database `postgres`
        self._spare: list[str] = []  # with the newest schema and no row: making one anew takes 0.1 s and more

    def new(self, *, empty: bool = False) -> str:
        """Make a database and give its address; it has the newest schema unless `empty`."""
        if not empty and self._spare:
            return self._spare.pop()
        address = self._create()
        if not empty:
            migrate(address, bundled("migrations"))
        return address

    def drop(self, address: str) -> None:
        """Throw out whoever still uses a database, and drop it or keep it, emptied, for the next one who asks."""
        if self._emptied(address):
            self._spare.append(address)
        else:
            self._tell(f"DROP DATABASE IF EXISTS {sa.make_url(address).database} WITH (FORCE)")

    def lose(self, address: str) -> None:
        """Take a database away from whoever uses it."""
        self._tell(f"DROP DATABASE {sa.make_url(address).database} WITH (FORCE)")

    def _emptied(self, address: str) -> bool:
        """Take every row out, unless the schema is not the newest one (any more)."""
        engine = sa.create_engine(address, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(_THROW_OUT)
            if set(sa.inspect(connection).get_table_names()) != {*metadata.tables, "alembic_version"}:
                return False
            if MigrationContext.configure(connection).get_current_revision() != newest_version(bundled("migrations")):
                return False
            for table in reversed(metadata.sorted_tables):
                if table is not fact_counter:
                    connection.execute(sa.delete(table))
            connection.exec_driver_sql("UPDATE fact_counter SET head = 0")
        return True

    def _create(self) -> str:
        name = f"test_{uuid.uuid4().hex}"
        self._tell(f"CREATE DATABASE {name}")
        return sa.make_url(self.address).set(database=name).render_as_string(hide_password=False)

    def _tell(self, command: str) -> None:
        engine = sa.create_engine(self.address, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(command)


class OwnPostgres(Postgres):
    """A Postgres of the tests' own: a child process on a socket in its own folder, which ends with whoever started it."""

    def __init__(self, binaries: Path, folder: Path, account: str | None) -> None:
        super().__init__(f"postgresql+psycopg://postgres@/postgres?host={folder}")
        self._binaries, self._folder, self._account = binaries, folder, account
        self._process: subprocess.Popen[bytes] | None = None
        command = [binaries / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"]
        made = subprocess.run([*command, "--no-sync"], **self._as_account(), capture_output=True, text=True)
        if made.returncode:
            raise NoPostgres(f"initdb failed: {made.stderr.strip()}")
        self.start()

    def start(self) -> None:
        """Start, or start again, and wait until it answers."""
        options = [f"-c{name}={value}" for name, value in _OPTIONS.items()]
        command = [self._binaries / "postgres", "-D", self._folder / "data", "-k", self._folder, *options]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509  # one call into the kernel, which takes no lock
                **self._as_account(),
            )  # fmt: skip
        until = time.monotonic() + _PATIENCE_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise NoPostgres(f"it does not start: {(self._folder / 'log').read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it now, whoever is connected; what was committed is there again after `start`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(_PATIENCE_S)
            finally:
                self._process.kill()
            self._process = None

    def _answers(self) -> bool:
        try:
            self._tell("SELECT 1")
        except sa.exc.OperationalError:
            return False
        return True

    def _as_account(self) -> dict[str, object]:
        """Postgres refuses to run as root."""
        if self._account is None:
            return {"cwd": self._folder}
        entry = pwd.getpwnam(self._account)
        return {"cwd": self._folder, "user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@contextlib.contextmanager
def running() -> Iterator[OwnPostgres]:
    """Start a Postgres, and leave no process and no file of it behind; raise NoPostgres where that cannot be done."""
    binaries = _binaries()
    account = next(filter(_known, ("postgres", "nobody")), None) if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="sightline-postgres-"))  # short: a socket's path has 107 characters at most
    try:
        if account is not None:
            shutil.chown(folder, account)
        server = OwnPostgres(binaries, folder, account)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _binaries() -> Path:
    """Folder of the newest Postgres here: Debian keeps it off the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    found = debian[-1] if debian else shutil.which("initdb")
    if found is None:
        raise NoPostgres("there is no Postgres here (apt-get install postgresql)")
    return Path(found).resolve().parent


def _known(account: str) -> bool:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(account) is not None
    return False


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


class Kept:
    """Where the homes under test keep their rows: in SQLite in the home itself, or in a database of a Postgres each."""

    def __init__(self) -> None:
        self.postgres: Postgres | None = None
        self._addresses: dict[Path, str] = {}
        self._empty_history = b""

    def address(self, home: Path, *, migrated: bool = False) -> str:
        """Give the address of a home's database, the same each time; a new one has nothing in it, or the newest schema."""
        if self.postgres is None:
            path = home / "sightline.db"
            if migrated and not path.exists():
                path.write_bytes(self._empty_history or self._migrate(home))
            return f"sqlite:///{path}"
        if home not in self._addresses:
            self._addresses[home] = self.postgres.new(empty=not migrated)
        return self._addresses[home]

    def drop(self, folder: Path) -> None:
        """Drop the databases of the homes in a folder."""
        for home in [home for home in self._addresses if home.is_relative_to(folder)]:
            assert self.postgres is not None
            self.postgres.drop(self._addresses.pop(home))

    def lose(self, home: Path) -> None:
        """Take a home's database away, as a disk or a server that is gone does."""
        if self.postgres is None:
            home.rename(home.with_name("elsewhere"))
        else:
            self.postgres.lose(self._addresses.pop(home))

    def _migrate(self, folder: Path) -> bytes:
        path = folder / "migrated.db"
        migrate(f"sqlite:///{path}", bundled("migrations"))
        self._empty_history = path.read_bytes()
        path.unlink()
        return self._empty_history


KEPT = Kept()  # one for the whole run: `--database` decides it


def database_of(home: Path) -> str:
    """Give the address of the database that a Sightline with this home keeps its rows in."""
    return KEPT.address(home)


def history_of(home: Path) -> str:
    """Give the address of the database of a home, which has the newest schema and no job when it is new."""
    return KEPT.address(home, migrated=True)
