"""FrozenMap: the laws of an immutable mapping, and its life as a pydantic field."""

from __future__ import annotations

import copy
import pickle
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from transport import FrozenMap, Message

plain_maps = st.dictionaries(st.text(), st.integers())


@given(plain_maps)
def test_a_map_equals_its_source_both_ways(source: dict[str, int]) -> None:
    assert FrozenMap(source) == source
    assert source == FrozenMap(source)
    assert dict(FrozenMap(source)) == source


@given(plain_maps.flatmap(lambda m: st.tuples(st.just(m), st.permutations(list(m.items())))))
def test_order_changes_neither_equality_nor_hash(
    case: tuple[dict[str, int], list[tuple[str, int]]],
) -> None:
    source, shuffled = case

    assert FrozenMap(source) == FrozenMap(shuffled)
    assert hash(FrozenMap(source)) == hash(FrozenMap(shuffled))


@given(plain_maps, plain_maps)
def test_equality_is_equality_of_items(one: dict[str, int], two: dict[str, int]) -> None:
    assert (FrozenMap(one) == FrozenMap(two)) is (one == two)


@given(plain_maps)
def test_iteration_keeps_the_order_of_the_source(source: dict[str, int]) -> None:
    frozen = FrozenMap(source)

    assert list(frozen) == list(frozen.keys()) == list(source)
    assert list(frozen.values()) == list(source.values())
    assert list(frozen.items()) == list(source.items())
    assert len(frozen) == len(source)


@given(plain_maps, plain_maps)
def test_or_merges_and_the_right_side_wins(one: dict[str, int], two: dict[str, int]) -> None:
    assert FrozenMap(one) | two == FrozenMap(one | two)
    assert type(FrozenMap(one) | FrozenMap(two)) is FrozenMap


def test_or_with_something_else_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        FrozenMap({"a": 1}) | 3  # type: ignore[operator]  # the point of the test


def test_lookups_are_those_of_a_mapping() -> None:
    frozen = FrozenMap({"a": 1})

    assert frozen["a"] == 1
    assert frozen.get("b") is None
    assert "a" in frozen
    assert "b" not in frozen
    assert frozen != 3
    with pytest.raises(KeyError):
        frozen["b"]


def test_a_later_change_of_the_source_is_not_seen() -> None:
    source = {"a": 1}
    frozen = FrozenMap(source)

    source["b"] = 2

    assert frozen == {"a": 1}


def test_nothing_of_a_map_can_be_set_or_deleted() -> None:
    frozen: Any = FrozenMap({"a": 1})

    with pytest.raises(AttributeError, match="cannot change"):
        frozen._items = {}
    with pytest.raises(AttributeError, match="cannot change"):
        del frozen._items
    with pytest.raises(TypeError):
        frozen["a"] = 2
    assert frozen == {"a": 1}


def test_a_map_hashes_only_when_its_values_do() -> None:
    unhashable: FrozenMap[str, list[int]] = FrozenMap({"a": [1]})

    with pytest.raises(TypeError):
        hash(unhashable)
    assert hash(FrozenMap({"a": 1})) == hash(FrozenMap({"a": 1}))


def test_repr_is_the_call_that_makes_it() -> None:
    frozen = FrozenMap({"a": 1})

    assert repr(frozen) == "FrozenMap({'a': 1})"
    assert eval(repr(frozen)) == frozen


def test_copies_are_equal_and_still_frozen() -> None:
    frozen = FrozenMap({"a": FrozenMap({"b": 1})})
    hash(frozen)

    assert copy.copy(frozen) is frozen
    for twin in (copy.deepcopy(frozen), pickle.loads(pickle.dumps(frozen))):
        assert type(twin) is FrozenMap
        assert twin == frozen
        assert hash(twin) == hash(frozen)


class Part(Message):
    weight: int


class Crate(Message):
    counts: FrozenMap[str, int] = FrozenMap()
    parts: FrozenMap[UUID, FrozenMap[str, Part]] = FrozenMap()


def test_a_field_takes_a_dict_or_a_map_under_strict_validation() -> None:
    assert Crate(counts=FrozenMap({"a": 1})) == Crate.model_validate({"counts": {"a": 1}})
    assert type(Crate.model_validate({"counts": {"a": 1}}).counts) is FrozenMap


def test_a_field_checks_keys_and_values() -> None:
    for counts in ({"a": "1"}, {1: 1}, [("a", 1)], FrozenMap({"a": 1.5})):
        with pytest.raises(ValidationError):
            Crate.model_validate({"counts": counts})


def test_a_field_is_a_json_object_both_ways() -> None:
    crate = Crate(
        counts=FrozenMap({"a": 1}), parts=FrozenMap({UUID(int=7): FrozenMap({"p": Part(weight=2)})})
    )

    assert '"counts":{"a":1}' in crate.model_dump_json()
    assert Crate.model_validate_json(crate.model_dump_json()) == crate


def test_a_dump_is_a_plain_dict_that_is_nobody_elses() -> None:
    crate = Crate(counts=FrozenMap({"a": 1}))

    dumped = crate.model_dump()
    dumped["counts"]["b"] = 2

    assert crate.counts == {"a": 1}
    assert type(dumped["counts"]) is dict


def test_a_dict_given_to_a_field_is_copied() -> None:
    counts = {"a": 1}
    crate = Crate.model_validate({"counts": counts})

    counts["b"] = 2

    assert crate.counts == {"a": 1}


def test_a_plain_model_may_use_it_without_parameters() -> None:
    class Loose(BaseModel):
        model_config = ConfigDict(strict=True)
        data: FrozenMap  # type: ignore[type-arg]  # the point of the test

    assert Loose.model_validate({"data": {"a": [1]}}).data == {"a": [1]}


def test_its_json_schema_is_an_object() -> None:
    for mode in ("validation", "serialization"):
        schema = TypeAdapter(FrozenMap[str, int]).json_schema(mode=mode)
        assert schema == {"type": "object", "additionalProperties": {"type": "integer"}}
