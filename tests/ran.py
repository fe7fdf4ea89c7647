"""Records which tests a whole run ran and how they ended, so that `sightline check requirements` can tell which did not."""

import json
from pathlib import Path

import pytest

_WORST = ("passed", "skipped", "failed")  # of the cases of one test


class Ran:
    """What this run ran: every test by its file and name, with the worst end among its cases."""

    def __init__(self, file: Path, before: dict[str, str]) -> None:
        self._file, self._before = file, before
        self._ends: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how a test ended; with several processes the first one hears of all of them."""
        if report.when != "call" and report.outcome == "passed":
            return
        test = report.nodeid.partition("[")[0]
        file, _, name = test.partition("::")
        test = f"{file}::{name.rpartition('::')[2]}"
        self._ends[test] = max(self._ends.get(test, "passed"), report.outcome, key=_WORST.index)

    def pytest_sessionfinish(self) -> None:
        """Write the record."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(self._before | self._ends, indent=0, sort_keys=True), encoding="utf-8")


def record(config: pytest.Config, root: Path) -> None:
    """Record this run where it is a whole one: everything of `make test` or `make soak`, with nothing picked by hand.

    A run of what failed last amends the record of the run before it.
    """
    kind = {"not soak": "test", "soak": "soak"}.get(config.option.markexpr)
    picked = config.option.keyword or config.option.collectonly or config.args_source.name == "ARGS"
    if not kind or picked or hasattr(config, "workerinput"):
        return
    file = root / ".pytest_cache" / "ran" / f"{kind}.json"
    amends = config.option.lf and file.is_file()
    config.pluginmanager.register(Ran(file, json.loads(file.read_text(encoding="utf-8")) if amends else {}))
