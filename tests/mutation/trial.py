"""Tries mutants on a copy of the tree: `trial.py COPY SECONDS` reads them, a line of JSON each, and says what became of each.

None is begun after so many seconds, counted from when the tests have passed without any.

All that the tests need and that is not ours is imported once; each mutant's tests then run in a fork, which takes a second
instead of five. A mutant that hangs, or takes too much memory, is killed.
"""

import gc
import importlib
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

LIBRARIES = (
    "alembic.command", "anyio._backends._asyncio", "anyio.pytest_plugin", "av", "cv2", "hypothesis", "hypothesis.strategies",
    "httpx", "msgspec", "numpy", "onnxruntime", "playwright.sync_api", "psutil", "psycopg", "pytest_timeout", "sqlalchemy",
    "sqlalchemy.dialects.sqlite", "uvloop", "xdist.plugin", "_hypothesis_pytestplugin",
)  # fmt: skip
OPTIONS = (
    "-q", "-x", "-n", "0", "-p", "no:cacheprovider", "-m", "not postgres and not soak", "--hypothesis-seed=0",
    "-k", "not uvloop",  # one event loop shows what there is to see
    "-W", "ignore::pytest.PytestAssertRewriteWarning",  # the libraries are there before pytest looks at them
)  # fmt: skip
LAPS, GRACE_S = 4, 5  # a mutant hangs when it takes so many times as long as the tests take without it, and so much more
MOST_MEMORY = 4 << 30  # bytes
TRIES = 3  # of the tests without a mutant: where the machine is loaded, what fails once says nothing
STRANGER = 70  # the exit status where the tests ran on another tree than the copy


def run_tests(copy: Path, tests: list[str], keep_bytecode: bool) -> int:
    """Run the tests in this process, which is a fork; give pytest's exit status."""
    said = os.open(copy / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(copy)
    sys.path.insert(0, str(copy))
    sys.dont_write_bytecode = not keep_bytecode
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    status = int(pytest.main([*OPTIONS, f"--basetemp={copy / 'tmp'}", *tests]))
    ours = sys.modules.get("app")
    return status if ours is None or str(ours.__file__).startswith(str(copy)) else STRANGER


def fork_tests(copy: Path, tests: list[str], *, limit_s: float, keep_bytecode: bool = False) -> int | None:
    """Run the tests in a fork and give pytest's exit status; None where it was ended for taking longer than the limit."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setpgid(0, 0)
            status = run_tests(copy, tests, keep_bytecode)
        finally:
            sys.stdout.flush()
            os._exit(status)
    handle = os.pidfd_open(child)
    ended, _, _ = select.select([handle], [], [], limit_s)
    os.close(handle)
    try:
        os.killpg(child, signal.SIGKILL)  # also whatever the tests started and left
    except ProcessLookupError:
        os.kill(child, signal.SIGKILL)  # it has not got as far as to be a group of its own
    _, status = os.waitpid(child, 0)
    return None if not ended else os.waitstatus_to_exitcode(status)


def measure(copy: Path, mutants: list[dict[str, Any]]) -> dict[str, float]:
    """Run each module's tests on the tree as it is, and give how many seconds a mutant of it may take."""
    limits = {}
    for module, tests in {mutant["module"]: mutant["tests"] for mutant in mutants}.items():
        for _ in range(TRIES):
            begun = time.monotonic()
            status = fork_tests(copy, tests, limit_s=300, keep_bytecode=True)
            if status == 0:
                break
        else:
            sys.exit(f"the tests of {module} do not pass without a mutant ({status}):\n{(copy / 'said.txt').read_text()}")
        limits[module] = GRACE_S + LAPS * (time.monotonic() - begun)
    for module in limits:  # whose bytecode could be taken for that of a mutant written in the same second
        shutil.rmtree((copy / module).parent / "__pycache__", ignore_errors=True)
    return limits


def main(copy: Path, budget_s: float) -> None:
    """Try the mutants of the input one after another, as long as there is time."""
    mutants = [json.loads(line) for line in sys.stdin]
    for name in LIBRARIES:
        if importlib.util.find_spec(name.partition(".")[0]):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # the forks need not look at all this again
    limits = measure(copy, mutants)
    until = time.monotonic() + budget_s
    for mutant in mutants:
        if time.monotonic() > until:
            break
        file, begun = copy / mutant["module"], time.monotonic()
        before = file.read_bytes()
        file.write_text(mutant["source"], encoding="utf-8")
        status = fork_tests(copy, mutant["tests"], limit_s=limits[mutant["module"]])
        file.write_bytes(before)
        if status == STRANGER:
            sys.exit(f"the tests of {mutant['module']} ran on another tree than the copy")
        fate = "hung" if status is None else "killed" if status else "survived"
        told = {"number": mutant["number"], "fate": fate, "seconds": round(time.monotonic() - begun, 2)}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), float(sys.argv[2]))
