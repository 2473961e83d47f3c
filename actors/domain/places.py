"""A value of a definition file and where it stands: typed reading with good errors.

`definition_file` walks a document through these: each reader returns the value converted, or raises
a `DefinitionError` with the file, the dotted key and the problem.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from actors.domain.definition import Scalar, is_call
from actors.domain.errors import DefinitionError, MobError, did_you_mean, listed
from actors.domain.identity import AgentIdentity, check_identity

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),  # before int, of which it is a subclass
    (str, "a text"),
    (int, "a whole number"),
    (float, "a number"),
    (Mapping, "a table"),
    (list, "an array"),
    (tuple, "an array"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """One value and where it stands; each reader returns it converted or raises."""

    source: str
    key: str
    value: object

    def error(self, problem: str, hint: str | None = None) -> DefinitionError:
        """Return the error for a problem at this place."""
        return DefinitionError(self.source, self.key, problem, hint)

    def wrong(self, wanted: str, hint: str | None = None) -> DefinitionError:
        """Return the error for a value of the wrong type."""
        return self.error(f"must be {wanted}, not {_kind(self.value)}", hint)

    def at(self, name: str, value: object) -> Place:
        """Return the place of a value under a key of this table."""
        part = name if _BARE_KEY.fullmatch(name) else json.dumps(name, ensure_ascii=False)
        return Place(self.source, f"{self.key}.{part}" if self.key else part, value)

    def entries(self) -> dict[str, Place]:
        """Return the values of a table whose keys are free."""
        if not isinstance(self.value, Mapping):
            raise self.wrong("a table")
        places: dict[str, Place] = {}
        for name, value in self.value.items():
            if not isinstance(name, str):
                raise self.error(f"the key {name!r} must be a text")
            places[name] = self.at(name, value)
        return places

    def table(self, known: Collection[str], required: Collection[str] = ()) -> dict[str, Place]:
        """Return the values of a table whose keys are given."""
        places = self.entries()
        for name, place in places.items():
            if name not in known:
                problem = f"unknown key{did_you_mean(name, known)}"
                raise place.error(problem, f"known keys are: {listed(known)}")
        for name in required:
            if name not in places:
                raise self.at(name, None).error("missing")
        return places

    def read(
        self, readers: Mapping[str, Callable[[Place], object]], required: Collection[str] = ()
    ) -> dict[str, object]:
        """Return the values of a table, each read by the reader of its key."""
        places = self.table(readers, required)
        return {name: readers[name](place) for name, place in places.items()}

    def items(self, hint: str | None = None) -> list[Place]:
        """Return the values of an array."""
        if not isinstance(self.value, list | tuple):
            raise self.wrong("an array", hint)
        return [
            Place(self.source, f"{self.key}[{index}]", value)
            for index, value in enumerate(self.value)
        ]

    def text(self) -> str:
        """Return a text that has a UTF-8 form."""
        if not isinstance(self.value, str):
            raise self.wrong("a text")
        if any("\ud800" <= character <= "\udfff" for character in self.value):
            raise self.error("contains a lone surrogate, which has no UTF-8 form")
        return self.value

    def name(self) -> AgentIdentity:
        """Return an identity."""
        if not isinstance(self.value, str):
            raise self.wrong("a text")
        return self.checked(self.value)

    def checked(self, identity: str) -> AgentIdentity:
        """Return a name that was made from this value, if it can be an identity."""
        try:
            return check_identity(identity)
        except MobError as error:
            raise self.error(str(error), error.hint) from None

    def call(self) -> str:
        """Return a text of the form `module:attribute`."""
        text = self.text()
        if not is_call(text):
            raise self.error(f"must be 'module:attribute', not '{text}'")
        return text

    def choice(self, known: tuple[str, ...]) -> str:
        """Return one of the known texts."""
        text = self.text()
        if text not in known:
            wanted = " or ".join(f"'{name}'" for name in known)
            raise self.error(f"must be {wanted}, not '{text}'{did_you_mean(text, known)}")
        return text

    def flag(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            raise self.wrong("true or false")
        return self.value

    def whole(self, least: int = 1, most: int | None = None) -> int:
        """Return a whole number in a range."""
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self.wrong("a whole number")
        if self.value < least:
            raise self.error(f"must be at least {least}, not {self.value}")
        if most is not None and self.value > most:
            raise self.error(f"must be at most {most}, not {self.value}")
        return self.value

    def seconds(self) -> float:
        """Return a finite number of seconds above 0, also from a whole number."""
        if not isinstance(self.value, int | float) or isinstance(self.value, bool):
            raise self.wrong("a number of seconds")
        if not 0 < self.value < math.inf:
            raise self.error(f"must be a number of seconds above 0, not {self.value}")
        return float(self.value)

    def scalar(self) -> Scalar:
        """Return a text, a number, true or false that JSON and msgpack can carry."""
        if isinstance(self.value, str):
            return self.text()
        if not isinstance(self.value, bool | int | float):
            raise self.wrong("a text, a number, true or false, or an array of these")
        if isinstance(self.value, float) and not math.isfinite(self.value):
            raise self.error(f"must be a finite number, not {self.value}")
        if isinstance(self.value, int) and not -(2**63) <= self.value < 2**63:
            raise self.error("must fit into 64 bits")
        return self.value

    def option(self) -> Scalar | tuple[Scalar, ...]:
        """Return a scalar, or an array of scalars as tuple."""
        if isinstance(self.value, list | tuple):
            return tuple(item.scalar() for item in self.items())
        return self.scalar()


def _kind(value: object) -> str:
    for kind, name in _KINDS:
        if isinstance(value, kind):
            return name
    return type(value).__name__
