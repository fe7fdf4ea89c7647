"""What subscribers cost that never read: the others' lateness, the server's memory, and when they are let go."""

import time
from typing import Final, NamedTuple

from tests.bench.feed.contestants import Contestant
from tests.bench.feed.measure import Readers, window
from tests.bench.feed.plans import Plan

_RECEIVE_BYTES: Final = 32_768  # of a stalled one: what its own kernel takes for it, no server can tell from being read


class Stalled(NamedTuple):
    """What came of it: the others' 95th percentile before and meanwhile, memory for each stalled one, and its end."""

    p95_before_ms: float
    p95_ms: float
    kb_each: float  # the most memory the server held beyond what it held before, for each stalled one
    let_go_s: float | None  # when the last of them was let go, from when it stopped reading; None: never


def stall(contestant: Contestant, readers: int, stalled: int, plan: Plan, seconds: float) -> Stalled:
    """Connect readers and others that stop reading at once; publish for some seconds and see."""
    with Readers.connected(contestant, readers - stalled) as well:
        contestant.publish(plan, 2 * seconds)
        time.sleep(1)
        before = window(contestant, well, readers - stalled, plan, seconds / 4)
        with Readers.connected(contestant, stalled, _RECEIVE_BYTES) as stuck:
            time.sleep(1)
            stuck.suspend()
            held_kb, began = contestant.rss_kb, time.monotonic()
            most_kb, let_go_s = held_kb, None
            well.start()
            while time.monotonic() < began + seconds:
                time.sleep(0.5)
                most_kb = max(most_kb, contestant.rss_kb)
                if let_go_s is None and contestant.stats()["subscribers"] <= readers - stalled:
                    let_go_s = round(time.monotonic() - began, 1)
            ages = well.stop()["ages_ms"]
    p95_ms = round(ages[int(len(ages) * 0.95)], 1) if ages else 0.0
    return Stalled(before.p95_ms, p95_ms, round((most_kb - held_kb) / stalled, 1), let_go_s)
