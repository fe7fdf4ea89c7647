"""The database's address: what is taken, what is completed, and what is refused in a sentence."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.errors import NotReady
from app.domain.job import Job
from app.store import listing
from app.store.address import connect_arguments, read_address
from app.store.engine import DatabaseUnavailable, Store, migrate


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_way_to_write_postgres_means_the_same_driver(scheme: str) -> None:
    assert read_address(f"{scheme}://me:pw@db/rows").drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("mysql://me:secret@db/rows", "'mysql' is no database that Sightline can use; expected sqlite:///FILE or postgresql"),
        ("me:secret@db", "cannot be read; expected sqlite:///FILE"),
        ("postgresql+psycopg://me:secret@db:port/rows", "cannot be read; expected sqlite:///FILE"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
    ],
)
def test_what_is_no_address_is_refused_without_its_password(address: str, said: str) -> None:
    with pytest.raises(NotReady, match=said) as refused:
        Store(address)
    assert "secret" not in str(refused.value)


def test_the_address_itself_decides_how_long_a_silent_postgres_is_waited_for() -> None:
    assert connect_arguments(read_address("postgresql://db/rows?connect_timeout=2"))["tcp_user_timeout"] == 30_000
    assert "connect_timeout" not in connect_arguments(read_address("postgresql://db/rows?connect_timeout=2"))


def test_a_postgres_that_is_not_there_is_told_in_one_sentence(migrations: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"cannot be used right now: .*refused") as told:
        migrate("postgresql://me:secret@127.0.0.1:1/rows", migrations)
    assert "\n" not in str(told.value)
    assert "secret" not in str(told.value)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, migrations: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotReady, match="cannot be made"):
        migrate(f"sqlite:///{tmp_path}/file/sightline.db", migrations)


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_a_full_disk_is_told_as_a_database_that_cannot_be_used_and_leaves_what_was_there(
    store: Store, add: Callable[..., Job]
) -> None:
    add()
    with store.begin() as tx:
        tx.exec_driver_sql("PRAGMA max_page_count = 1")  # SQLite's own word for a full disk: no page more than there is
    with pytest.raises(DatabaseUnavailable, match="full"):
        add("job-b", lengths=(1,) * 5000)
    with store.read() as tx:
        assert [job.id for job in listing.page(tx)[0]] == ["job-a"]
