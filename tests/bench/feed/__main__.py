"""`python -m tests.bench.feed [--quick]`: measures the feed beside others in one run, and keeps the figures in RESULTS.md."""

import argparse
import os
import platform
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from tests.bench.feed.contestants import Contestant, nchan_module, nchan_server, python_server
from tests.bench.feed.measure import Measured, measure
from tests.bench.feed.plans import Plan
from tests.bench.feed.stalled import Stalled, stall

RESULTS = Path(__file__).parents[1] / "RESULTS.md"
TITLE = "## The feed"
NAMES = {"hub": "Sightline", "queue": "a queue for each client", "nchan": "nchan"}
MIX = Plan("mix", 30)
FULL = (Plan("even", 20), Plan("even", 200), MIX)
QUICK = (Plan("even", 20), MIX)

ABOUT = (
    "Medians of interleaved rounds, with the same light client in a process of its own. CPU is the server's alone, the ratio",
    "is to Sightline's, milliseconds go from `at` to the client. Less than all is delivered where newer values replaced older.",
    "nchan has its insights posted to it, which its CPU pays for; it does not number facts, conflate, or tell of gaps.",
)

Start = Callable[[str], AbstractContextManager[Contestant]]


def contestants() -> dict[str, Start]:
    """Everybody who can be measured here."""
    found: dict[str, Start] = {"hub": python_server, "queue": python_server}
    return found | ({"nchan": nchan_server} if nchan_module() else {})


def rounds(cases: list[tuple[int, Plan]], times: int, seconds: float) -> Iterator[tuple[tuple[int, Plan], str, Measured]]:
    """Measure everybody in turn, again and again, so that a change of the machine's mood meets all of them."""
    everybody = list(contestants().items())
    for turn in range(times):
        for case in cases:
            for name, start in everybody[turn % len(everybody) :] + everybody[: turn % len(everybody)]:
                with start(name) as contestant:
                    yield case, name, measure(contestant, *case, seconds)


def table(found: dict[tuple[tuple[int, Plan], str], list[Measured]]) -> list[str]:
    """Put medians into a table; a ratio is that of medians of the same run."""
    lines = [
        "| subscribers, plan | who | CPU µs per delivery | ratio | p50 ms | p95 ms | p99 ms | delivered | CPU % | KB each |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (case, name), all_of_it in found.items():
        mid = Measured(*(statistics.median(values) for values in zip(*all_of_it, strict=True)))
        ours = statistics.median(one.cpu_us for one in found[case, "hub"])
        lines.append(
            f"| {case[0]}, {case[1]} | {NAMES[name]} | {mid.cpu_us:.1f} | {mid.cpu_us / ours:.2f} | {mid.p50_ms:.0f} | "
            f"{mid.p95_ms:.0f} | {mid.p99_ms:.0f} | {mid.share:.0%} | {mid.cpu_percent:.0f} | {mid.kb_each:.0f} |"
        )
    return lines


def stalled_lines(found: dict[str, Stalled], readers: int, stuck: int) -> list[str]:
    """Say what stalled subscribers cost."""
    lines = [
        f"{readers} subscribers of whom {stuck} never read (and whose own kernels take 32 KB for them), on the mix:",
        "",
        "| who | the others' p95 ms before | meanwhile | server's memory per stalled one, KB | all of them let go after |",
        "|---|---|---|---|---|",
    ]
    for name, one in found.items():
        gone = "never" if one.let_go_s is None else f"{one.let_go_s:.0f} s"
        lines.append(f"| {NAMES[name]} | {one.p95_before_ms:.0f} | {one.p95_ms:.0f} | {one.kb_each:.0f} | {gone} |")
    return lines


def machine(began_load: float) -> str:
    """Describe the machine, how busy it was, and what was measured."""
    models = re.findall(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    names = ("uvicorn", "uvloop", "httptools", "sse-starlette", "starlette", "msgspec")
    kernel = ".".join(platform.release().split(".")[:2])
    libraries = ", ".join(f"{name} {version(name)}" for name in names)
    nginx = (
        subprocess.run(["nginx", "-v"], capture_output=True, text=True).stderr.strip() if nchan_module() else "no nchan here"
    )
    return (
        f"{models[0] if models else platform.machine()}, {len(os.sched_getaffinity(0))} cores, "
        f"{psutil.virtual_memory().total / 1e9:.0f} GB, Linux {kernel}, Python {platform.python_version()}, "
        f"{libraries}, {nginx}. Load when it began: {began_load:.1f}, when it ended: {os.getloadavg()[0]:.1f}."
    )


def keep(title: str, lines: list[str]) -> None:
    """Put the section into RESULTS.md, in the place of the one before."""
    before = RESULTS.read_text() if RESULTS.is_file() else "# What the benches measured last\n"
    section = "\n".join([title, "", *lines, ""])
    parts = re.split(r"(?m)^(?=## )", before)
    kept = [part.rstrip() + "\n" for part in parts if part.split("\n", 1)[0] != title]
    RESULTS.write_text("\n".join([*kept, section]))


def compare(count: int, plans: tuple[Plan, ...], times: int, seconds: float) -> list[str]:
    """Measure everybody with so many subscribers."""
    found: dict[tuple[tuple[int, Plan], str], list[Measured]] = {}
    cases = [(count, plan) for plan in plans]
    for case, name, measured in rounds(cases, times, seconds):
        found.setdefault((case, name), []).append(measured)
        print(f"{case[0]} × {case[1]}, {name}: {measured}", flush=True)
    return [*ABOUT, "", *table({(case, name): found[case, name] for case in cases for name in contestants()})]


def hold_up(readers: int, stuck: int, seconds: float) -> list[str]:
    """Measure what it costs when some never read."""
    found = {}
    for name in ("hub", "queue"):
        with python_server(name) as contestant:
            found[name] = stall(contestant, readers, stuck, MIX, seconds)
        print(f"stalled, {name}: {found[name]}", flush=True)
    return stalled_lines(found, readers, stuck)


def main() -> None:
    """Measure, print, and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few subscribers, one round: does it work at all?")
    parser.add_argument("--only", choices=("100", "500", "stalled"), help="one section, which takes some minutes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--no-keep", action="store_true", help="leave RESULTS.md as it is")
    asked = parser.parse_args()
    if asked.quick:
        print(*compare(50, QUICK, 1, 2.0), *hold_up(50, 5, 4.0), sep="\n")
        return
    how = f"python -m tests.bench.feed --rounds {asked.rounds} --seconds {asked.seconds:g}"
    for part in [asked.only] if asked.only else ["100", "500", "stalled"]:
        load, began = os.getloadavg()[0], time.monotonic()
        lines = hold_up(500, 50, 60.0) if part == "stalled" else compare(int(part), FULL, asked.rounds, asked.seconds)
        minutes = (time.monotonic() - began) / 60
        about = f"`{how} --only {part}`, {datetime.now(UTC):%Y-%m-%d}, {minutes:.0f} minutes. {machine(load)}"
        title = f"{TITLE}, {part} subscribers"
        print(title, "", about, "", *lines, sep="\n")
        if not asked.no_keep:
            keep(title, [about, "", *lines])


if __name__ == "__main__":
    main()
