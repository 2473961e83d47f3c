"""Reading a profile's options: every threshold comes from the mob file, none from the code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Options: TypeAlias = Mapping[str, object]


class OptionError(ValueError):
    """An option of the mob file is missing or has the wrong type."""

    def __init__(self, key: str, expected: str, found: object) -> None:
        super().__init__(key, expected, found)
        self.key = key
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        state = "is missing" if self.found is None else f"is {self.found!r}"
        return f"options.{self.key} {state}: the mob file must give it {self.expected}"


def whole(options: Options, key: str) -> int:
    """A whole number from 0 up."""
    value = options.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise OptionError(key, "a whole number from 0 up", value)
    return value


def seconds(options: Options, key: str) -> float:
    """A duration in seconds, from 0 up."""
    value = options.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise OptionError(key, "a number of seconds from 0 up", value)
    return float(value)


def words(options: Options, key: str) -> tuple[str, ...]:
    """A list of texts."""
    value = options.get(key)
    if not isinstance(value, tuple | list):
        raise OptionError(key, "a list of texts", value)
    texts = tuple(item for item in value if isinstance(item, str))
    if len(texts) != len(value):
        raise OptionError(key, "a list of texts", value)
    return texts
