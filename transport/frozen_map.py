"""`FrozenMap`: the dictionary that a message may carry."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, NoReturn, TypeVar, get_args

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

__all__ = ["FrozenMap"]

K = TypeVar("K")
V_co = TypeVar("V_co", covariant=True)


class FrozenMap(Mapping[K, V_co]):
    """An immutable mapping that hashes when its values do; iterates in insertion order.

    Equal to every mapping with equal items, whatever their order; the hash does not depend on the
    order either. As a pydantic field, `FrozenMap[str, int]` takes a dict or a FrozenMap (also under
    strict validation) and is a JSON object both ways; `model_dump()` gives a plain dict.

    Args:
        source: A mapping or pairs; copied, so that later changes to it are not seen.

    Raises:
        TypeError: A key does not hash. An unhashable *value* is found by `hash()`.
    """

    __slots__ = ("_hash", "_items")

    _hash: int
    _items: dict[K, V_co]

    def __init__(self, source: Mapping[K, V_co] | Iterable[tuple[K, V_co]] = ()) -> None:
        object.__setattr__(self, "_items", dict(source))

    def __getitem__(self, key: K) -> V_co:
        return self._items[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, key: object) -> bool:
        return key in self._items

    # The views of a dict are read-only and several times faster than those of Mapping.
    def keys(self) -> KeysView[K]:
        """A read-only view of the keys, in insertion order."""
        return self._items.keys()

    def values(self) -> ValuesView[V_co]:
        """A read-only view of the values, in insertion order."""
        return self._items.values()

    def items(self) -> ItemsView[K, V_co]:
        """A read-only view of the pairs, in insertion order."""
        return self._items.items()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, FrozenMap):
            return self._items == other._items
        if isinstance(other, Mapping):
            return self._items == dict(other)
        return NotImplemented

    def __hash__(self) -> int:
        try:
            return self._hash
        except AttributeError:
            object.__setattr__(self, "_hash", hash(frozenset(self._items.items())))
            return self._hash

    def __or__(self, other: Mapping[K, V_co]) -> FrozenMap[K, V_co]:
        """A new map with the items of both; those of `other` win."""
        if not isinstance(other, Mapping):
            return NotImplemented
        return FrozenMap({**self._items, **other})

    def __repr__(self) -> str:
        return f"FrozenMap({self._items!r})"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a FrozenMap cannot change; make a new one instead of setting {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a FrozenMap cannot change; {name} cannot be deleted")

    def __copy__(self) -> FrozenMap[K, V_co]:
        return self

    def __reduce__(self) -> tuple[type[FrozenMap[K, V_co]], tuple[dict[K, V_co]]]:
        # Needed because state is otherwise restored by setattr; the default copy of a hash would
        # also be wrong in a process with another hash seed.
        return FrozenMap, (self._items,)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        arguments = get_args(source) or (object, object)
        entries = core_schema.dict_schema(*(handler.generate_schema(a) for a in arguments))
        checked = core_schema.no_info_after_validator_function(_adopt, entries)
        return core_schema.json_or_python_schema(
            json_schema=checked,
            python_schema=core_schema.no_info_before_validator_function(_entries_of, checked),
            serialization=core_schema.plain_serializer_function_ser_schema(
                _entries_of, return_schema=entries
            ),
        )


# Any: keys and values have been (or are about to be) checked by the schema around these two.
def _adopt(entries: dict[Any, Any]) -> FrozenMap[Any, Any]:
    """Make a map around a dict that nobody else holds, without a copy."""
    adopted = FrozenMap.__new__(FrozenMap)
    object.__setattr__(adopted, "_items", entries)
    return adopted


def _entries_of(value: object) -> object:
    # Pydantic copies the dict, when it validates as when it dumps.
    return value._items if isinstance(value, FrozenMap) else value
