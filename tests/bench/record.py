"""What a bench found: printed as it comes, and kept in RESULTS.md with the machine described."""

import os
import platform
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import av
import cv2

from app.devices.inventory import read_cpu

RESULTS = Path(__file__).with_name("RESULTS.md")
_HEAD = "<!-- What the benches found, written by `make bench`; ratios of one run, asserted nowhere. -->\n# Results\n"


class Result(NamedTuple):
    """One row: what was measured, the bound of DESIGN, what came out, whether that is within (None: not measured).

    `load`: how many processes wanted a core, on average over the minute before the row was begun and the one after.
    """

    what: str
    bound: str
    found: str
    within: bool | None
    load: str = ""

    @property
    def verdict(self) -> str:
        """Say in a word how the row came out."""
        return {True: "within", False: "over", None: "not measured"}[self.within]


def describe_machine() -> str:
    """Name what the numbers depend on, and nothing that tells whose machine it is."""
    cpu, memory = read_cpu(), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{cpu.usable} cores ({cpu.name}), {memory:.0f} GB, {platform.system()} {platform.machine()}, Python "
        f"{platform.python_version()}, OpenCV {cv2.__version__}, PyAV {av.__version__}"
    )


def show(result: Result) -> None:
    """Print a row as soon as it is known."""
    print(f"{result.verdict:12} {result.what}: {result.found} (bound: {result.bound})", flush=True)


def keep(section: str, machine: str, results: Iterable[Result], *, to: Path = RESULTS) -> None:
    """Write the section afresh, but for its rows that were not measured now; the other sections stay as they are.

    Rows may be measured one by one where a machine is quiet for minutes only: each says the load it was measured under.
    """
    text = to.read_text(encoding="utf-8") if to.exists() else _HEAD
    known = re.search(rf"\n## {re.escape(section)}\n.*?(?=\n## |\Z)", text, flags=re.DOTALL)
    rows = {line.split(" | ")[0]: line for line in known[0].splitlines() if line.startswith("| ")} if known else {}
    rows.pop("| what", None)
    rows |= {f"| {row.what}": f"| {row.what} | {row.bound} | {row.found} | {row.verdict} | {row.load} |" for row in results}
    body = "\n".join([
        f"## {section}", "", f"{datetime.now(UTC):%Y-%m-%d}. {machine}.", "",
        "| what | bound | found | | load |", "|---|---|---|---|---|", *rows.values(), "",
    ])  # fmt: skip
    others = text.replace(known[0], "") if known else text
    to.write_text(f"{others.rstrip()}\n\n{body}", encoding="utf-8")
