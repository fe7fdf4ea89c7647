"""Accepts a deliberate change: what the program shows now is kept, and why it changed is written down."""

from collections.abc import Iterator
from typing import Final

from tests.promises.change import Change, Kind
from tests.promises.promise import Promise
from tests.promises.subject import CannotLook, Subject

CHANGES: Final = "tests/baselines/CHANGES.md"
_HEADING: Final = """# Deliberate changes of what others rely on

`sightline check --accept NAME --because "…"` writes here, the newest last: which promise changed, why, and how.
"""
_MOST_TOLD: Final = 40  # parts of one change; its commit has them all


class NeedsReason(Exception):
    """A change breaks what others rely on, and nobody has said why."""


def accept(promise: Promise, subject: Subject, because: str) -> Iterator[str]:
    """Keep what the program shows now, and say of each file what was done with it.

    Raise NeedsReason, and keep nothing, where something breaks and `because` is empty.
    """
    shown, changes, skipped = {}, list[Change](), list[str]()
    for baseline in promise.baselines:
        try:
            shown[baseline.file] = subject.once(baseline.show)
            changes += baseline.changes(promise.name, subject)
        except CannotLook as reason:
            skipped.append(f"{baseline.file} is left as it is: {reason}.")
    breaking = [change for change in changes if change.kind is Kind.BREAKING]
    if breaking and not because:
        raise NeedsReason(f"{len(breaking)} changes of {promise.name} break what others rely on: {breaking[0].sentence}")
    for file, text in shown.items():
        kept = subject.root / file
        if not kept.is_file() or kept.read_text(encoding="utf-8") != text:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(text, encoding="utf-8")
            yield f"{file} is accepted."
    if changes and because:
        _write_down(subject, promise.name, because, changes)
    yield from skipped


def _write_down(subject: Subject, name: str, because: str, changes: list[Change]) -> None:
    page = subject.root / CHANGES
    before = page.read_text(encoding="utf-8") if page.is_file() else _HEADING
    told = [
        f"- {change.kind}: {change.sentence}" for change in sorted(changes, key=lambda change: change.kind is not Kind.BREAKING)
    ]
    more = [f"- and {len(told) - _MOST_TOLD} more"] if len(told) > _MOST_TOLD else []
    page.write_text("\n".join([before, f"## {name}: {because}\n", *told[:_MOST_TOLD], *more, ""]), encoding="utf-8")
