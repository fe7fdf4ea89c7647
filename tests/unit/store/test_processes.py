"""Several processes on one database, some of them killed or stopped: nothing is lost, doubled or seen out of order."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.domain.job import Job, JobStatus, Segment
from app.store import facts, jobs, segments
from app.store.engine import Store, utc_now
from tests.committing import commit_alone

ROOT = Path(__file__).parents[3]
Child = subprocess.Popen


@pytest.fixture
def start(url: str) -> Iterator[Callable[..., Child]]:
    """Start a child and wait until it has opened the store; whatever is left at the end is killed."""
    started: list[Child] = []

    def start_child(mode: str, holder: str, number: float = 0, job_id: str = "job-a") -> Child:
        command = [sys.executable, str(Path(__file__).with_name("child.py")), url, mode, job_id, holder, str(number)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        child = Child(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        started.append(child)
        assert child.stdout.readline() == "ready\n"
        return child

    yield start_child
    for child in started:
        if child.poll() is None:
            child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()


def go(*children: Child) -> None:
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()


def end_of(child: Child) -> list[list[str]]:
    """Give the words of each whole line a child said, once it has ended."""
    said = child.stdout.read()
    child.wait()
    return [line.split() for line in said.splitlines(keepends=True) if line.endswith("\n")]


def rows(store: Store) -> list[Segment]:
    with store.read() as tx:
        return segments.states(tx, "job-a")


def test_processes_that_claim_at_once_never_hold_the_same_segment_and_term(
    store: Store, add: Callable[..., Job], start: Callable[..., Child]
):
    add(lengths=(1,) * 150)
    children = [start("work", f"w{number}") for number in range(3)]
    go(*children)
    said = [line for child in children for line in end_of(child)]
    assert [child.returncode for child in children] == [0, 0, 0]
    claimed = Counter((index, term) for what, index, term in said if what == "claimed")
    committed = Counter(index for what, index, _ in said if what == "committed")
    assert set(claimed.values()) == {1}
    assert committed == {str(index): 1 for index in range(150)}
    with store.read() as tx:
        assert jobs.get(tx, "job-a").frames_done == 150


def test_every_segment_is_committed_exactly_once_though_workers_are_killed(
    store: Store, add: Callable[..., Job], start: Callable[..., Child]
):
    add(lengths=(2,) * 40)
    said: list[list[str]] = []
    for round_number in range(4):  # each time a worker is killed in the middle of its work
        doomed = start("work", f"doomed{round_number}", 0.01)
        go(doomed)
        seen = [doomed.stdout.readline().split() for _ in range(3)]
        doomed.send_signal(signal.SIGKILL)
        said += seen + end_of(doomed)
    survivor = start("work", "survivor")
    go(survivor)
    said += end_of(survivor)
    assert survivor.returncode == 0
    claimed = Counter((line[1], line[2]) for line in said if line[0] == "claimed")
    assert set(claimed.values()) == {1}
    assert {row.state for row in rows(store)} == {"committed"}
    assert all(row.rows.file.startswith(f"{row.index}.{row.term}.") for row in rows(store))
    assert max(row.term for row in rows(store)) > 1
    with store.read() as tx:
        assert jobs.get(tx, "job-a").frames_done == 80


def test_a_holder_that_was_stopped_beyond_its_lease_cannot_commit(
    store: Store, add: Callable[..., Job], start: Callable[..., Child]
):
    add(lengths=(5,))
    stopped = start("hold", "stopped")
    go(stopped)
    assert stopped.stdout.readline() == "claimed 0 1\n"
    stopped.send_signal(signal.SIGSTOP)
    with store.begin() as tx:
        later = utc_now() + timedelta(seconds=1)
        taken = segments.claim(tx, "job-a", holder="next", lease_s=1000, now=later)
    assert (taken.index, taken.term) == (0, 2)
    stopped.send_signal(signal.SIGCONT)
    go(stopped)
    assert stopped.stdout.readline() == "committed False\n"
    assert rows(store) == [taken]
    with store.begin() as tx:
        assert commit_alone(tx, taken, outputs_file="of the next", frames=5, loop_ms=1)
    with store.read() as tx:
        assert jobs.get(tx, "job-a").frames_done == 5


def test_a_process_killed_in_the_middle_of_a_write_leaves_nothing_of_it_and_no_lock(
    store: Store, add: Callable[..., Job], start: Callable[..., Child]
):
    add()
    before = rows(store)
    hung = start("hang", "hung")
    go(hung)
    assert hung.stdout.readline() == "hanging\n"
    assert rows(store) == before
    hung.kill()
    hung.wait()
    with store.begin() as tx:
        claimed = segments.claim(tx, "job-a", holder="next", lease_s=10, now=utc_now())
    assert (claimed.index, claimed.term) == (0, 1)
    with store.read() as tx:
        assert jobs.get(tx, "job-a").frames_done == 0


def test_a_reader_sees_every_fact_once_in_the_order_of_its_number_while_processes_write_and_die(
    store: Store, add: Callable[..., Job], start: Callable[..., Child]
):
    add()
    log = facts.StoredFacts(store)
    writers = [start("tell", f"w{number}", 90) for number in range(2)]
    doomed = start("tell", "doomed", 100_000)
    go(*writers, doomed)
    seen: list[int] = []
    until = time.monotonic() + 60
    last_look = False
    while not last_look:
        assert time.monotonic() < until
        last_look = all(child.poll() is not None for child in (*writers, doomed))
        head = log.head()
        seen += [number for number, _ in log.after(seen[-1] if seen else 0, None, 1000)]
        assert seen[-1] >= head  # what the head promised can be read
        if len(seen) > 150 and doomed.poll() is None:
            doomed.kill()
    told = {int(number) for child in (*writers, doomed) for line in end_of(child) for number in line}
    assert [child.returncode for child in writers] == [0, 0]
    assert seen == list(range(1, len(seen) + 1))
    assert told <= set(seen)
    assert len([1 for _, fact in log.after(0, {"job-a"}, 100_000) if fact.type == "warning" and fact.code != "doomed"]) == 180


def test_two_processes_cannot_both_make_the_same_move(store: Store, add: Callable[..., Job], start: Callable[..., Child]):
    add()
    other = start("move", "other")
    with store.begin() as tx:
        jobs.lock(tx, "job-a")
        go(other)
        assert other.stdout.readline() == "moving\n"
        time.sleep(0.2)  # long enough to look, were it let in before this transaction ends
        jobs.move(tx, "job-a", JobStatus.RUNNING)
    assert other.stdout.readline() == "refused running\n"
    with store.read() as tx:
        assert len(facts.of_job(tx, "job-a")) == 2


@pytest.mark.soak
@pytest.mark.postgres
@pytest.mark.parametrize("kind", ["postgres"], indirect=True)  # SQLite has no way to take a lock from a process
def test_a_process_frozen_in_the_middle_of_a_write_holds_the_others_up_for_a_while_only(
    store: Store, add: Callable[..., Job], start: Callable[..., Child]
):
    add()
    hung = start("hang", "hung")
    go(hung)
    assert hung.stdout.readline() == "hanging\n"
    hung.send_signal(signal.SIGSTOP)
    with store.begin() as tx:
        jobs.lock(tx, "job-a")
        assert segments.claim(tx, "job-a", holder="next", lease_s=10, now=utc_now()).term == 1
    hung.send_signal(signal.SIGCONT)
