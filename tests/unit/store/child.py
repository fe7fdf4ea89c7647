"""A process that works on a store until it is done or killed; the tests of several processes start it.

`child.py URL MODE JOB [NUMBER]`; it says `ready` first and waits for a line before it begins.
"""

import sys
import time

from app.domain.errors import WrongState
from app.domain.insight import Warned
from app.domain.job import JobStatus, Segment
from app.store import facts, jobs, segments
from app.store.engine import Store, utc_now
from tests.committing import commit_alone


def say(*words: object) -> None:
    print(*words, flush=True)


def claim(store: Store, job_id: str, holder: str, lease_s: float) -> Segment | None:
    with store.begin() as tx:
        return segments.claim(tx, job_id, holder=holder, lease_s=lease_s, now=utc_now())


def commit(store: Store, segment: Segment, holder: str) -> bool:
    with store.begin() as tx:
        return commit_alone(tx, segment, outputs_file=f"{segment.index}.{segment.term}.{holder}", frames=1, loop_ms=1)


def work(store: Store, job_id: str, holder: str, hold_s: float) -> None:
    """Claim and commit until every segment of the job is committed; hold each one for a moment."""
    while True:
        segment = claim(store, job_id, holder, lease_s=0.3)
        if segment is None:
            with store.read() as tx:
                if segments.count_open(tx, job_id) == 0:
                    return
            time.sleep(0.02)
            continue
        say("claimed", segment.index, segment.term)
        time.sleep(hold_s)
        if commit(store, segment, holder):
            say("committed", segment.index, segment.term)


def tell(store: Store, job_id: str, holder: str, number: int) -> None:
    """Append facts, several to a transaction, and say the number of each once it is committed."""
    for count in range(0, number, 3):
        with store.begin() as tx:
            told = [
                facts.append(
                    tx,
                    Warned(
                        at=utc_now(), job_id=job_id, code=holder, stage=None, frame_index=None, message="", count=count + more
                    ),
                )
                for more in range(3)
            ]
        say(*told)


def hold(store: Store, job_id: str, holder: str) -> None:
    """Claim a segment, and commit it only when told to."""
    segment = claim(store, job_id, holder, lease_s=0.2)
    assert segment
    say("claimed", segment.index, segment.term)
    sys.stdin.readline()
    say("committed", commit(store, segment, holder))


def hang(store: Store, job_id: str, holder: str) -> None:
    """Stop in the middle of a write, with everything done but the commit."""
    with store.begin() as tx:
        segment = segments.claim(tx, job_id, holder=holder, lease_s=1000, now=utc_now())
        assert segment
        commit_alone(tx, segment, outputs_file="of the hung", frames=1, loop_ms=1)
        say("hanging")
        time.sleep(1000)


def move(store: Store, job_id: str) -> None:
    """Start the job, or say which status it is refused in."""
    say("moving")
    try:
        with store.begin() as tx:
            say("moved", jobs.move(tx, job_id, JobStatus.RUNNING).status)
    except WrongState as refused:
        say("refused", refused.facts["status"])


def main() -> None:
    url, mode, job_id, holder, number = sys.argv[1:6]
    store = Store(url)
    with store.read():
        say("ready")
    sys.stdin.readline()
    if mode == "work":
        work(store, job_id, holder, float(number))
    elif mode == "tell":
        tell(store, job_id, holder, int(number))
    elif mode == "hold":
        hold(store, job_id, holder)
    elif mode == "move":
        move(store, job_id)
    else:
        hang(store, job_id, holder)
    store.close()


if __name__ == "__main__":
    main()
