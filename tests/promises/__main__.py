"""What `sightline check` runs in a checkout: holds the promises, tells what changed, or accepts it."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Final, NamedTuple

from tests.promises.accept import NeedsReason, accept
from tests.promises.change import Change, Kind
from tests.promises.every import PROMISES
from tests.promises.promise import Promise
from tests.promises.subject import CannotLook, Subject

CHANGED, WRONG_USAGE = 1, 2
ALL: Final = "all"
IN_CI: Final = bool(os.environ.get("CI") or os.environ.get("SIGHTLINE_CI"))


class Look(NamedTuple):
    """What came of looking at a promise: what changed, and what could not be looked at here."""

    promise: Promise
    changes: list[Change]
    skipped: list[str]


def look(promise: Promise, subject: Subject) -> Look:
    """Hold a promise: against each of its baselines, and to each of its rules. In CI nothing may be left out."""
    changes, skipped = list[Change](), list[str]()
    for piece in promise.pieces:
        try:
            changes += piece.changes(promise.name, subject)
        except CannotLook as reason:
            if IN_CI:
                changes.append(Change(promise.name, Kind.MISSING, f"{piece.name} must be looked at in CI: {reason}."))
            skipped.append(f"{piece.name}: {reason}")
    return Look(promise, changes, skipped)


def tell(looks: list[Look]) -> Iterator[str]:
    """Tell a person what was found."""
    for promise, changes, skipped in looks:
        state = f"{len(changes)} changes" if changes else "as it is kept"
        yield f"{promise.name}: {state} ({promise.about})"
        for change in changes:
            yield f"  {change.kind}: {change.sentence}"
            yield from (f"      {line}" for line in change.diff.splitlines())
        yield from (f"  not looked at here: {reason}" for reason in skipped)
        if meant := [change for change in changes if change.can_accept]:
            reason = ' --because "…"' if any(change.kind is Kind.BREAKING for change in meant) else ""
            yield f"  If it is meant, accept it: sightline check --accept {promise.name}{reason}"


def main() -> int:
    """Do what was asked for, and give the exit code: 0 all as it is kept, 1 something changed, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="sightline check")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--accept", action="append", default=[])
    parser.add_argument("--because", default="")
    parser.add_argument("--json", action="store_true", dest="as_json")
    asked = parser.parse_args()
    names = [name for name in PROMISES if not asked.names or name in asked.names]
    if unknown := {*asked.names, *asked.accept} - {*PROMISES, ALL}:
        print(f"There is no promise {', '.join(sorted(unknown))}; there are {', '.join(PROMISES)}.", file=sys.stderr)
        return WRONG_USAGE
    with Subject() as subject:
        if asked.accept:
            return _accept([name for name in PROMISES if {name, ALL} & {*asked.accept}], subject, asked.because)
        looks = [look(PROMISES[name], subject) for name in names]
    if asked.as_json:
        items = [asdict(change) for found in looks for change in found.changes]
        skipped = [f"{found.promise.name}: {reason}" for found in looks for reason in found.skipped]
        print(json.dumps({"items": items, "next_cursor": None, "not_looked_at": skipped}, indent=2))
    else:
        print("\n".join(tell(looks)))
    return CHANGED if any(found.changes for found in looks) else 0


def _accept(names: list[str], subject: Subject, because: str) -> int:
    refused = False
    for name in names:
        try:
            for line in accept(PROMISES[name], subject, because):
                print(f"{name}: {line}")
        except NeedsReason as needed:
            print(f'{needed} Say why: --because "…"', file=sys.stderr)
            refused = True
    return WRONG_USAGE if refused else 0


if __name__ == "__main__":
    sys.exit(main())
