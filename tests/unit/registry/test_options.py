"""Options of a stage: checked, completed, and read from text."""

from typing import Any

import pytest

from app.domain.errors import BadOption
from app.domain.plugin import Capability, OptionSpec, OptionType, PluginMetadata
from app.registry.manifest import check_options
from app.registry.options import read_option

SPECS = (
    OptionSpec("count", OptionType.INTEGER, 3, "Count", minimum=1, maximum=10),
    OptionSpec("rate", OptionType.NUMBER, 0.5, "Rate", minimum=0),
    OptionSpec("loud", OptionType.BOOLEAN, False, "Loud"),
    OptionSpec("word", OptionType.STRING, "hello", "Word"),
    OptionSpec("mode", OptionType.CHOICE, "fast", "Mode", choices=("fast", "good")),
    OptionSpec("labels", OptionType.STRINGS, ("a",), "Labels"),
    OptionSpec("some", OptionType.STRINGS, (), "Some", choices=("x", "y")),
)
METADATA = PluginMetadata(
    "test", "Test", "1.0.0", "Test.", "T", "MIT", "plugin:T", (Capability.DETECT,), "detections", 5.0, options=SPECS
)
BY_NAME = {spec.name: spec for spec in SPECS}


def test_options_not_given_are_at_their_default() -> None:
    assert check_options(METADATA, "stage", {"count": 7}) == METADATA.defaults() | {"count": 7}


def test_options_are_given_in_the_plugin_s_order() -> None:
    assert list(check_options(METADATA, "stage", {"mode": "good", "count": 7})) == list(BY_NAME)


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [("rate", 2, 2.0), ("labels", ["a", "b"], ("a", "b")), ("some", ["y"], ("y",)), ("word", "", ""), ("count", 10, 10)],
)
def test_a_value_that_fits_is_taken_in_the_declared_type(name: str, given: Any, taken: Any) -> None:
    value = check_options(METADATA, "stage", {name: given})[name]
    assert value == taken
    assert type(value) is type(taken)


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("count", 0, "a whole number from 1 to 10"),
        ("count", 11, "a whole number from 1 to 10"),
        ("count", 2.0, "a whole number from 1 to 10"),
        ("count", True, "a whole number from 1 to 10"),
        ("count", "3", "a whole number from 1 to 10"),
        ("count", None, "a whole number from 1 to 10"),
        ("rate", -0.1, "a number, at least 0"),
        ("rate", float("nan"), "a number, at least 0"),
        ("rate", float("inf"), "a number, at least 0"),
        ("loud", 1, "true or false"),
        ("word", 5, "text"),
        ("mode", "slow", "one of fast, good"),
        ("mode", ["fast"], "one of fast, good"),
        ("labels", "abc", "a list of texts"),
        ("labels", [1], "a list of texts"),
        ("some", ["x", "z"], "a list of some of x, y"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_what_was_expected(name: str, given: Any, expected: str) -> None:
    with pytest.raises(BadOption) as caught:
        check_options(METADATA, "my_stage", {name: given})
    assert caught.value.facts == {"stage": "my_stage", "option": name, "actual": given, "expected": expected}


def test_an_unknown_option_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BadOption, match=r"Stage 's': option 'speed' is 3, expected one of count, rate, loud"):
        check_options(METADATA, "s", {"speed": 3})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", " 7 ", 7), ("rate", "1e-1", 0.1), ("loud", "on", True), ("loud", "False", False), ("word", " a ", " a "),
        ("mode", "good", "good"), ("labels", "a, b,,c ", ("a", "b", "c")), ("labels", "", ()),
    ],
)  # fmt: skip
def test_text_becomes_the_option_s_type(name: str, text: str, value: Any) -> None:
    assert read_option(BY_NAME[name], text) == value
    assert check_options(METADATA, "s", {name: read_option(BY_NAME[name], text)})[name] == value


@pytest.mark.parametrize(("name", "text"), [("count", "seven"), ("rate", ""), ("loud", "maybe"), ("count", "1.5")])
def test_text_that_does_not_fit_is_refused_as_it_was_written(name: str, text: str) -> None:
    with pytest.raises(BadOption) as caught:
        check_options(METADATA, "s", {name: read_option(BY_NAME[name], text)})
    assert caught.value.facts["actual"] == text
