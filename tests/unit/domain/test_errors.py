"""The error family: sentences, facts, and the way through a pickle."""

import pickle
import string

import pytest

from app.domain import errors
from app.domain.errors import BadManifest, BadPipeline, SightlineError, UnknownPlugin

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SightlineError)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_error_comes_through_a_pickle_with_its_facts_and_sentence(kind: type[SightlineError]) -> None:
    facts = {name: f"<{name}>" for _, name, _, _ in string.Formatter().parse(kind.sentence) if name}
    error = kind(**facts)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert again.facts == facts
    assert str(again) == str(error)
    assert all(value in str(error) for value in facts.values())


def test_an_error_built_without_its_facts_is_a_mistake_at_once() -> None:
    with pytest.raises(KeyError):
        UnknownPlugin(plugin="x")


def test_a_reason_alone_is_enough_where_the_sentence_takes_one() -> None:
    assert str(BadPipeline.because("it is empty")) == "The pipeline cannot be run: it is empty."


def test_braces_in_a_fact_are_no_placeholders() -> None:
    assert str(BadManifest(path="a{b}", reason="{reason}")) == "a{b}: {reason}."
