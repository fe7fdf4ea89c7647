"""The engine's rows of DESIGN's table, measured on this machine: `python -m tests.bench.engine [--small] [--only NAMES]`.

Never fails on a number: a row that is over its bound says so. `--small` is to try the bench itself, and keeps nothing.
"""

import argparse
import os
import tempfile
from pathlib import Path

from tests.bench.engine import gain, memory, overhead, overlay, starts, watchers
from tests.bench.record import Result, describe_machine, keep, show

ROWS = {
    "overhead": overhead, "gain": gain, "watchers": watchers, "overlay": overlay, "memory": memory, "starts": starts,
}  # fmt: skip


def main() -> None:
    """Measure, print, and keep the results."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.engine", description=__doc__)
    parser.add_argument("--small", action="store_true", help="few frames, one round, nothing kept")
    parser.add_argument("--only", default=",".join(ROWS), help=f"some of {', '.join(ROWS)}; the others are kept as they were")
    asked = parser.parse_args()
    wanted = asked.only.split(",")
    if strange := [name for name in wanted if name not in ROWS]:
        parser.error(f"there is no row {strange[0]!r}; the known ones are {', '.join(ROWS)}")
    machine, results = describe_machine(), list[Result]()
    print(machine, flush=True)
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as folder:
        for name in wanted:
            before = os.getloadavg()[0]
            for result in ROWS[name].measure(Path(folder), small=asked.small):
                show(result)
                results.append(result._replace(load=f"{before:.0f}, {os.getloadavg()[0]:.0f}"))
    if not asked.small:
        keep("Engine", machine, results)


if __name__ == "__main__":
    main()
