"""What a plugin's sample and its golden output are held to, one rule to a function."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from app.domain.errors import BadOption
from app.domain.output import OUTPUT_KINDS, find_flaw
from app.registry.expected import EXPECTED, TOLERATED, Expected, read_expected
from app.registry.fault import Fault, Rule
from app.registry.folder_rules import Subject
from app.registry.options import check_options

_ACCEPT: Final = "Write it from what the plugin gives: sightline plugins test ID --accept. Then look at it."


def sample_is_there(subject: Subject) -> Iterator[Fault]:
    """A sample input is there, the one that the golden output is about."""
    if not any(subject.folder.glob("sample*")):
        cure = "Add a picture, a short video, or rows (.ndjson) of what earlier stages gave."
        yield Fault("sample", "it has no sample input (sample.*)", cure)
    expected = _expected(subject.folder)
    if expected is not None and not (subject.folder / Path(expected.sample).name).is_file():
        yield Fault(EXPECTED, f"sample is {expected.sample!r}, but there is no such file in its folder", "Name the one there.")


def golden_output_is_there(subject: Subject) -> Iterator[Fault]:
    """An expected.json is there and can be read."""
    try:
        read_expected(subject.folder)
    except OSError:
        yield Fault(EXPECTED, f"it has no {EXPECTED}", _ACCEPT)
    except ValueError as error:
        yield Fault(EXPECTED, f"{EXPECTED} cannot be used: {error}", _ACCEPT)


def golden_output_is_of_its_kind(subject: Subject) -> Iterator[Fault]:
    """What is expected is of the declared kind and may be stored; nothing expected proves nothing."""
    expected, kind = _expected(subject.folder), OUTPUT_KINDS[subject.metadata.output]
    if expected is None:
        return
    if not expected.frames:
        yield Fault(EXPECTED, "it expects nothing of any frame", _ACCEPT)
    for wanted in expected.frames:
        flaw = find_flaw(wanted.output)
        if type(wanted.output) is not kind:
            flaw = f"it is {type(wanted.output).__name__}, but plugin.toml declares {subject.metadata.output}"
        if flaw:
            yield Fault(EXPECTED, f"the output expected on frame {wanted.frame_index}: {flaw}", _ACCEPT)


def golden_options_are_its_own(subject: Subject) -> Iterator[Fault]:
    """The options and tolerances of the golden output are ones there are."""
    expected = _expected(subject.folder)
    if expected is None:
        return
    try:
        check_options(subject.metadata, EXPECTED, expected.options)
    except BadOption as error:
        facts = error.facts
        message = f"option {facts['option']!r} is {facts['actual']!r}, expected {facts['expected']}"
        yield Fault(EXPECTED, message, "Name the plugin's options as plugin.toml does.")
    for name, value in expected.tolerance.items():
        if name not in TOLERATED or value < 0:
            message = f"tolerance {name!r} is {value!r}, expected a number of at least 0 for one of {', '.join(TOLERATED)}"
            yield Fault(EXPECTED, message, "Name the number's field.")


WARNINGS: Final[tuple[Rule, ...]] = (
    sample_is_there,
    golden_output_is_there,
    golden_output_is_of_its_kind,
    golden_options_are_its_own,
)


def _expected(folder: Path) -> Expected | None:
    try:
        return read_expected(folder)
    except (OSError, ValueError):
        return None  # told by the rule that it must be there
