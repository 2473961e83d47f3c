"""Spawning many members at once: what is asked, checked as a whole before anything is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from actors.domain.errors import MemberAlreadyExists, MobError
from actors.roles.messages import Spawn
from transport.message import FrozenMap

if TYPE_CHECKING:
    from actors.domain.events import MemberSpawned

FORM: Final = "(name, profile), or a mapping with name, profile and perhaps labels"
KEYS: Final = ("name", "profile", "labels")


class SpawnMany:
    """Add members by hand; the answer has the member or the error of each, in order.

    Not a Message: the answer carries errors, and ten thousand spawns are above a message's limit.
    """

    __slots__ = ("spawns",)

    def __init__(self, spawns: tuple[Spawn, ...]) -> None:
        self.spawns = spawns


def each_spawn(specs: Iterable[tuple[str, str] | Mapping[str, Any]]) -> tuple[Spawn, ...]:
    """Read the specs of `Mob.spawn_many`.

    Raises:
        TypeError: one of them is neither a pair of texts nor a fitting mapping.
    """
    return tuple(_spawn(index, spec) for index, spec in enumerate(specs))


def _spawn(index: int, spec: object) -> Spawn:
    try:
        if isinstance(spec, Mapping):
            given = dict(spec)
        elif isinstance(spec, tuple | list):
            given = dict(zip(KEYS[:2], spec, strict=True))
        else:
            raise TypeError("it is neither")
        if unknown := [key for key in given if key not in KEYS]:
            raise TypeError(f"{unknown[0]!r} is none of its keys")
        labels = FrozenMap(given.get("labels") or {})
        return Spawn(identity=given["name"], profile=given["profile"], labels=labels)
    except (KeyError, TypeError, ValueError) as error:
        raise TypeError(f"specs[{index}] must be {FORM}; it is {spec!r}") from error


def accepted(
    spawns: Iterable[Spawn], spawned: Callable[[Spawn], MemberSpawned]
) -> tuple[list[MemberSpawned], list[MobError | None]]:
    """Decide which of the spawns can be; `spawned` raises MobError for one that cannot.

    Returns:
        The events, and for each spawn None or the error that keeps it out.
    """
    events: dict[str, MemberSpawned] = {}
    errors: list[MobError | None] = []
    for each in spawns:
        try:
            event = spawned(each)
            if event.identity in events:
                raise MemberAlreadyExists(event.identity)
        except MobError as error:
            errors.append(error)
        else:
            events[event.identity] = event
            errors.append(None)
    return list(events.values()), errors
