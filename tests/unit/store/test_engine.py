"""The engine: migrations whole or not at all, write transactions one at a time, reads of one moment."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from app.domain.errors import NotReady
from app.domain.job import Job, JobStatus, Wanted
from app.store import facts, jobs, listing
from app.store.engine import Store, downgrade, migrate, newest_version, schema_version
from app.store.tables import metadata
from tests.unit.store.conftest import without_segments

NEXT = '''
"""A migration of the tests."""
import sqlalchemy as sa
from alembic import op
revision = "0003"
down_revision = "0002"
def upgrade():
    {body}
def downgrade():
    pass
'''


@pytest.fixture
def longer(migrations: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Give a copy of the migrations with one more that does `body`."""

    def copy(body: str) -> Path:
        folder = tmp_path / "more migrations 100%"
        shutil.copytree(migrations, folder)
        (folder / "versions" / "0003_test.py").write_text(NEXT.format(body=body))
        return folder

    return copy


def table_names(store: Store) -> set[str]:
    with store.read() as tx:
        return set(sa.inspect(tx).get_table_names())


def test_an_empty_database_migrated_to_the_head_equals_the_tables(store: Store, migrations: Path):
    with store.read() as tx:
        assert compare_metadata(MigrationContext.configure(tx), metadata) == []
    assert table_names(store) == {*metadata.tables, "alembic_version"}
    assert schema_version(store) == newest_version(migrations) == "0002"


def test_indexes_and_foreign_keys_carry_the_same_names_in_migrations_and_tables(store: Store):
    with store.read() as tx:
        inspector = sa.inspect(tx)
        for table in metadata.sorted_tables:
            assert {index.name for index in table.indexes} <= {index["name"] for index in inspector.get_indexes(table.name)}
            keys = {key["name"] for key in inspector.get_foreign_keys(table.name)}
            assert {key.name for key in table.foreign_key_constraints} == keys
            assert inspector.get_pk_constraint(table.name)["name"] == table.primary_key.name


def test_a_downgrade_to_the_base_leaves_no_table(url: str, migrations: Path):
    downgrade(url, migrations)
    store = Store(url)
    assert table_names(store) == {"alembic_version"}
    assert schema_version(store) is None
    migrate(url, migrations)
    assert schema_version(store) == "0002"
    store.close()


def test_migrating_again_keeps_every_job(store: Store, url: str, migrations: Path, add: Callable[..., Job]):
    job = add()
    migrate(url, migrations)
    with store.read() as tx:
        assert jobs.get(tx, "job-a") == without_segments(job)
        assert facts.head(tx) == 1


def test_migrations_work_from_any_folder_and_make_the_database_s_folder(
    tmp_path: Path, migrations: Path, monkeypatch: pytest.MonkeyPatch
):
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    url = "sqlite:///new/home/sightline.db"
    migrate(url, migrations)
    assert (elsewhere / "new/home/sightline.db").is_file()
    store = Store(url)
    assert schema_version(store) == "0002"
    store.close()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(
    store: Store, url: str, migrations: Path, longer: Callable[[str], Path]
):
    migrate(url, longer('op.create_table("news", sa.Column("id", sa.Integer, primary_key=True))'))
    with pytest.raises(NotReady, match="the schema '0003', which this version of Sightline does not know"):
        migrate(url, migrations)
    assert schema_version(store) == "0003"
    assert "news" in table_names(store)


def test_a_migration_that_fails_half_way_changes_nothing(store: Store, url: str, longer: Callable[[str], Path]):
    folder = longer('op.create_table("half", sa.Column("id", sa.Integer, primary_key=True)); raise RuntimeError("no luck")')
    with pytest.raises(RuntimeError, match="no luck"):
        migrate(url, folder)
    assert schema_version(store) == "0002"
    assert "half" not in table_names(store)


def test_rebuilding_a_table_in_a_migration_keeps_the_rows_that_point_to_it(
    store: Store, url: str, longer: Callable[[str], Path], add: Callable[..., Job]
):
    add()
    change = 'batch.alter_column("name", existing_type=sa.Text(), type_=sa.String(500))'
    migrate(url, longer(f'with op.batch_alter_table("jobs", recreate="auto") as batch: {change}'))
    with store.read() as tx:
        assert tx.exec_driver_sql("SELECT count(*) FROM segments").scalar_one() == 3
        assert facts.head(tx) == len(facts.of_job(tx, "job-a")) == 1


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)  # Postgres migrates with foreign keys on
def test_a_migration_that_would_leave_orphans_is_refused(
    store: Store, url: str, longer: Callable[[str], Path], add: Callable[..., Job]
):
    add()
    with pytest.raises(NotReady, match="7 rows that point nowhere"):
        migrate(url, longer('op.execute("DELETE FROM jobs")'))
    with store.read() as tx:
        assert jobs.get(tx, "job-a").id == "job-a"


def test_processes_that_migrate_one_empty_database_at_once_all_succeed(empty_url: str, migrations: Path):
    code = "import sys; from pathlib import Path; from app.store.engine import migrate; migrate(sys.argv[1], Path(sys.argv[2]))"
    command = [sys.executable, "-c", code, empty_url, str(migrations)]
    children = [subprocess.Popen(command, cwd=migrations.parent, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    said = [child.communicate()[1] for child in children]
    assert [child.returncode for child in children] == [0] * 4, said
    store = Store(empty_url)
    with store.read() as tx:
        assert facts.head(tx) == 0
    store.close()


def test_a_block_that_raises_leaves_nothing_behind(store: Store, make_job: Callable[..., Job]):
    def insert_and_fail() -> None:
        with store.begin() as tx:
            jobs.insert(tx, make_job(), ())
            raise RuntimeError("changed my mind")

    with pytest.raises(RuntimeError, match="changed my mind"):
        insert_and_fail()
    with store.read() as tx:
        assert listing.page(tx) == ([], None)
        assert facts.head(tx) == 0


def test_a_read_sees_one_moment_and_no_unfinished_write(store: Store, make_job: Callable[..., Job], add: Callable[..., Job]):
    with store.read() as tx:
        assert jobs.waiting(tx) == 0
        add("job-a")
        assert jobs.waiting(tx) == 0
    with store.begin() as writing:
        jobs.insert(writing, make_job("job-b"), ())
        with store.read() as tx:
            assert jobs.waiting(tx) == 1
    with store.read() as tx:
        assert jobs.waiting(tx) == 2


def test_nothing_can_be_written_in_a_read(store: Store, add: Callable[..., Job]):
    add()
    with store.read() as tx, pytest.raises(sa.exc.DBAPIError, match=r"read-?only"):
        jobs.want(tx, "job-a", Wanted.CANCEL)
    with store.read() as tx:
        assert jobs.get(tx, "job-a").wanted is Wanted.RUN


def test_threads_that_write_at_once_lose_nothing(store: Store, add: Callable[..., Job]):
    names = [f"job-{number}" for number in range(8)]
    for name in names:
        add(name)

    def go_round(name: str) -> None:
        for _ in range(10):
            with store.begin() as tx:
                jobs.move(tx, name, JobStatus.RUNNING)
            with store.begin() as tx:
                jobs.move(tx, name, JobStatus.QUEUED)

    threads = [threading.Thread(target=go_round, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as tx:
        assert facts.head(tx) == 8 + 8 * 20
        assert all(len(facts.of_job(tx, name)) == 21 for name in names)


def test_a_moment_without_a_time_zone_is_refused(store: Store, make_job: Callable[..., Job]):
    job = make_job(created_at=datetime(2026, 3, 1, 12))  # noqa: DTZ001 the naive datetime is what is tested
    with pytest.raises(sa.exc.StatementError, match="expected an aware datetime"), store.begin() as tx:
        jobs.insert(tx, job, ())
