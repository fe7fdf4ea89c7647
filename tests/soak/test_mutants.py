"""The core, broken in small ways by Cosmic Ray: the tests of each module notice, or it stands in survivors.toml why none can.

A fixed sample is tried; SIGHTLINE_MUTANTS_SEED takes another, SIGHTLINE_MUTANTS=all tries every mutant, those explained too.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import IN_CI, ROOT, sweep

HERE = ROOT / "tests" / "mutation"
CORE = {  # the modules of the core, and the tests that are theirs
    "app/domain/device.py": ("domain/test_device.py",),
    "app/domain/job.py": ("domain/test_job.py",),
    "app/store/segments.py": ("store/test_segments.py", "store/test_follows.py"),
    "app/store/stretches.py": ("store/test_stretches.py", "store/test_segments.py"),
    "app/insights/filter.py": (
        "insights/test_filter.py", "insights/test_topic.py", "insights/test_reduction.py", "insights/test_subscription.py"
    ),
    "app/insights/subscription.py": (
        "insights/test_subscription.py", "insights/test_subscription_live.py", "insights/test_hub.py"
    ),
    "app/devices/attach.py": ("devices/test_attach.py", "devices/test_record.py"),
}  # fmt: skip
SAMPLE, SEED = 60, "2026"
AT_ONCE, BUDGET_S = 2, 150  # on a loaded machine fewer of the sample are tried, the same ones first
ALL = os.environ.get("SIGHTLINE_MUTANTS") == "all"
pytestmark = [pytest.mark.soak, pytest.mark.timeout(7200 if ALL else 900)]
Mutant = dict[str, Any]


def key(mutant: Mutant) -> tuple[str, ...]:
    """What a mutant is known by, wherever in its module it stands."""
    return mutant["module"], mutant["in"], mutant["was"], mutant["becomes"]


def told(mutant: Mutant) -> str:
    """A mutant in words."""
    place = f"{mutant['module']} {mutant['in']}".strip()
    return f"{place}:\n    was      {mutant['was']}\n    becomes  {mutant['becomes']}".replace("\n@", "\n             @")


@pytest.fixture(scope="module")
def mutants(tmp_path_factory: pytest.TempPathFactory) -> list[Mutant]:
    """Every mutant of the core; the tool that makes them lives in an environment of its own."""
    folder = tmp_path_factory.mktemp("cosmic ray")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python, wanted = folder / "bin" / "python", HERE / "requirements.txt"
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--requirement", wanted]
    fetched = subprocess.run(install, capture_output=True, text=True)
    if fetched.returncode != 0:
        reason = f"Cosmic Ray could not be fetched: {fetched.stderr.strip().splitlines()[-1]}"
        pytest.fail(reason) if IN_CI else pytest.skip(reason)
    command = [python, HERE / "list_mutants.py", ROOT, *CORE]
    listed = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert listed.returncode == 0, listed.stderr
    return [json.loads(line) for line in listed.stdout.splitlines()]


@pytest.fixture(scope="module")
def explained() -> dict[tuple[str, ...], str]:
    """Why nothing can notice some mutants."""
    survivors = tomllib.loads((HERE / "survivors.toml").read_text(encoding="utf-8"))["survivor"]
    return {key(survivor): survivor["because"] for survivor in survivors}


@pytest.fixture(scope="module")
def copy_tree(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Copy what the tests of the core need, to be broken."""

    def copy() -> Path:
        folder = tmp_path_factory.mktemp("tree")
        for name in ("app", "migrations", "tests/unit"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for file in (ROOT / "pyproject.toml", ROOT / "sightline_pytest.py", *(ROOT / "tests").glob("*.py")):
            shutil.copyfile(file, folder / file.relative_to(ROOT))
        return folder

    return copy


def sample(mutants: list[Mutant]) -> list[Mutant]:
    """Pick the same mutants each time, and of a changed module those that were there before."""
    seed = os.environ.get("SIGHTLINE_MUTANTS_SEED", SEED)
    print(f"mutants are picked with SIGHTLINE_MUTANTS_SEED={seed}")
    by_chance = sorted(mutants, key=lambda mutant: hashlib.sha256(repr((seed, key(mutant))).encode()).digest())
    return mutants if ALL else by_chance[:SAMPLE]


def try_all(mutants: list[Mutant], copies: list[Path]) -> dict[int, str]:
    """Run the tests on each mutant, on all copies at once, while there is time; give what became of each."""
    with ExitStack() as until_the_end:
        trials = []
        for part, copy in enumerate(copies):
            todo = [
                mutant | {"number": number, "tests": [f"tests/unit/{test}" for test in CORE[mutant["module"]]]}
                for number, mutant in enumerate(mutants)
            ][part :: len(copies)]
            (copy / "todo.jsonl").write_text("".join(json.dumps(mutant) + "\n" for mutant in todo), encoding="utf-8")
            trial = subprocess.Popen(
                [sys.executable, HERE / "trial.py", copy, str(7000 if ALL else BUDGET_S)],
                stdin=until_the_end.enter_context((copy / "todo.jsonl").open()),
                stdout=until_the_end.enter_context((copy / "done.jsonl").open("w")),
                stderr=until_the_end.enter_context((copy / "complaints.txt").open("w")),
                start_new_session=True,
            )
            trials.append(trial)
            until_the_end.callback(sweep, trial.pid, patience_s=0)
        ends = [trial.wait() for trial in trials]
        left = [process for trial in trials for process in sweep(trial.pid)]
    assert not any(ends), [(copy / "complaints.txt").read_text() for copy in copies]
    assert not left, f"processes were left behind: {left}"
    done = [json.loads(line) for copy in copies for line in (copy / "done.jsonl").read_text().splitlines()]
    return {one["number"]: one["fate"] for one in done}


def test_no_mutant_of_the_core_survives_unexplained(
    mutants: list[Mutant], explained: dict[tuple[str, ...], str], copy_tree: Callable[[], Path]
) -> None:
    picked = sample(mutants)
    known = [mutant for mutant in picked if key(mutant) in explained]
    tried = picked if ALL else [mutant for mutant in picked if key(mutant) not in explained]
    fates = try_all(tried, [copy_tree() for _ in range(AT_ONCE)])
    print(f"{len(mutants)} mutants, {len(picked)} picked, {len(known)} of them explained, {len(fates)} tried in time:")
    print(dict(Counter(fates.values())))
    assert len(fates) == len(tried) if ALL else fates
    noticed = [tried[number] for number, fate in fates.items() if fate == "killed" and key(tried[number]) in explained]
    print("".join(f"noticed, though it is explained: {told(mutant)}\n" for mutant in noticed))
    survived = [tried[number] for number, fate in fates.items() if fate == "survived"]
    new = "\n".join(told(mutant) for mutant in survived if key(mutant) not in explained)
    assert not new, f"no test notices these; write one, or say in tests/mutation/survivors.toml why none can:\n{new}"


def test_every_explanation_is_of_a_mutant_there_is(mutants: list[Mutant], explained: dict[tuple[str, ...], str]) -> None:
    there = set(map(key, mutants))
    assert [one for one in explained if one not in there] == []
    assert all(len(because.split()) > 3 for because in explained.values())
