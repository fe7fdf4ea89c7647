"""The feed's messages: each type has an example that survives JSON, a delivery and a key."""

from typing import get_args

import msgspec
import pytest

from app.domain.insight import (
    BY_TYPE,
    FACT_TYPES,
    FILTERABLE_TYPES,
    INSIGHT_EXAMPLES,
    INSIGHT_TYPES,
    LATEST_TYPES,
    AnyInsight,
    Delivery,
    Insight,
)


def test_every_type_is_in_the_union_and_has_an_example_of_its_own_class() -> None:
    assert set(get_args(AnyInsight)) == set(INSIGHT_TYPES) == set(Insight.__subclasses__())
    assert {name: type(example) for name, example in INSIGHT_EXAMPLES.items()} == BY_TYPE


@pytest.mark.parametrize("name", INSIGHT_EXAMPLES)
def test_an_example_comes_back_from_json_as_it_was(name: str) -> None:
    example = INSIGHT_EXAMPLES[name]
    assert msgspec.json.decode(msgspec.json.encode(example), type=BY_TYPE[name]) == example


def test_the_types_are_delivered_as_the_design_says() -> None:
    assert frozenset({"status", "device", "health", "warning"}) == FACT_TYPES
    assert frozenset({"progress", "metrics", "overlay", "usage"}) == LATEST_TYPES
    assert {kind.type for kind in INSIGHT_TYPES if kind.delivery is Delivery.CONTROL} == {"hello", "gap", "close"}
    assert FACT_TYPES | LATEST_TYPES == FILTERABLE_TYPES


def test_a_newer_insight_replaces_one_of_the_same_type_and_job_only() -> None:
    keys = [example.key for example in INSIGHT_EXAMPLES.values()]
    assert len(set(keys)) == len(keys)
    progress = INSIGHT_EXAMPLES["progress"]
    assert msgspec.structs.replace(progress, progress=43).key == progress.key
    assert msgspec.structs.replace(progress, job_id="another").key != progress.key


def test_a_gap_names_its_ends_from_and_to() -> None:
    document = msgspec.json.decode(msgspec.json.encode(INSIGHT_EXAMPLES["gap"]))
    assert (document["from"], document["to"], document["count"]) == (12, 40, 29)


def test_times_are_told_as_rfc_3339_in_utc() -> None:
    for example in INSIGHT_EXAMPLES.values():
        assert msgspec.json.decode(msgspec.json.encode(example))["at"] == "2026-01-02T03:04:05.678000Z"


def test_only_a_snapshot_says_that_it_is_one() -> None:
    example = INSIGHT_EXAMPLES["progress"]
    assert "snapshot" not in msgspec.json.decode(msgspec.json.encode(example))
    assert msgspec.json.decode(msgspec.json.encode(msgspec.structs.replace(example, snapshot=True)))["snapshot"] is True
