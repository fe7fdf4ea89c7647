"""Holds every promise of the program to its baseline, as `sightline check` does: nothing public changes unseen."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.promises.__main__ import Look, tell
from tests.promises.every import PROMISES
from tests.promises.promise import Baseline, Rule
from tests.promises.subject import CannotLook, Subject

RAN = "every test that is named ran"  # looked at by `make test` behind its last test


def _case(name: str, piece: Baseline | Rule) -> Any:
    marks = [getattr(pytest.mark, piece.needs)] if piece.needs else []
    return pytest.param(name, piece, id=f"{name}: {piece.name}", marks=marks)


PIECES = [_case(name, piece) for name, promise in PROMISES.items() for piece in promise.pieces if piece.name != RAN]


class Looked(Subject):
    """A subject that takes the browser and the Postgres the other tests use."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        super().__init__()
        self._request = request

    @property
    def browser(self) -> Any:
        """The module's Chromium."""
        return self._request.getfixturevalue("browser")

    @property
    def postgres(self) -> Any:
        """The run's Postgres."""
        return self._request.getfixturevalue("postgres")


@pytest.fixture(scope="module")
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """This checkout and its program, for all pieces."""
    with Looked(request) as looked:
        yield looked


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "piece"), PIECES)
def test_what_is_promised_is_as_it_is_kept(name: str, piece: Baseline | Rule, subject: Subject) -> None:
    try:
        changes = list(piece.changes(name, subject))
    except CannotLook as reason:
        pytest.skip(str(reason))
    assert changes == [], "\n" + "\n".join(tell([Look(PROMISES[name], changes, [])]))
