"""Read a mob definition from TOML, or from the mapping that TOML would give.

```toml
id = "review"                       # required
[profiles.NAME]                     # any number
call = "module:attribute"           # required
executor = "python"
isolation = "async"                 # or "thread"
options = { threshold = 10 }        # texts, numbers, true/false and arrays of them
labels = { team = "core" }
limits = { turn_timeout_s = 120, attempts = 5, inbox = 1000 }
[[members]]
name = "lead"                       # required; with count = 3: lead-1, lead-2, lead-3
profile = "NAME"                    # required
labels = {}
[wiring]
orchestrator = "NAME"
auto_wire_orchestrator = true
role_wiring = [["NAME", "OTHER"]]
[[edges]]
a = "lead"
b = "w-1"
[store]
durability = "full"                 # or "normal", "memory"
[limits]
drain_timeout_s = 30
```

Each mistake is a `DefinitionError` with the file, the dotted key, the problem and the nearest valid
name. One is raised, the first: section by section in the order above, inside a section in the order
of the file, contradictions between sections last.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar, get_args

from actors.domain.definition import (
    Durability,
    Executor,
    Isolation,
    Limits,
    MemberSpec,
    MobDefinition,
    Profile,
    ProfileLimits,
    Scalar,
    StoreSettings,
    Wiring,
    find_problem,
)
from actors.domain.errors import DefinitionError, WiringError
from actors.domain.places import Place
from actors.domain.wiring import Edge
from transport.message import FrozenMap

MAX_COUNT = 100_000  # as many members as one process is built for (docs/design.md §8)

T = TypeVar("T")


def parse_definition(text: str, *, source: str) -> MobDefinition:
    """Return the definition that a TOML text holds; `source` names the file in errors.

    Raises:
        DefinitionError: The text is not TOML (its key is then "line 3, column 5"), or as
            `definition_from`.
    """
    try:
        data = tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        # Its text ends in "(at line 3, column 5)" or "(at end of document)".
        problem, _, place = str(error).rpartition(" (at ")
        raise DefinitionError(source, place.rstrip(")"), f"not TOML: {problem}") from None
    except RecursionError:
        raise DefinitionError(source, "", "not TOML: nested too deeply") from None
    return definition_from(data, source=source)


def definition_from(data: Mapping[str, object], *, source: str = "<dict>") -> MobDefinition:
    """Return the definition that a mapping of the TOML form holds.

    Raises:
        DefinitionError: Unknown key, missing key, wrong type or range, bad identity, self-edge,
            duplicate member, or a profile, role or member that is not there.
    """
    table = Place(source, "", data).table(MobDefinition.model_fields, required=("id",))

    def section(name: str, read: Callable[[Place], T], default: T) -> T:
        return read(table[name]) if name in table else default

    mob_id = table["id"].name()
    profiles = section("profiles", _profiles, FrozenMap[str, Profile]())
    members = section("members", _members, list[tuple[str, MemberSpec]]())
    wiring = section("wiring", _wiring, Wiring())
    edges = section("edges", _edges, list[_Drawn]())
    store = section("store", _store, StoreSettings())
    limits = section("limits", _limits, Limits())
    problem = find_problem(profiles, members, wiring, [end for edge in edges for end in edge.ends])
    if problem is not None:
        raise DefinitionError(source, problem.key, problem.text, problem.hint)
    return MobDefinition(
        id=mob_id,
        profiles=profiles,
        members=tuple(spec for _, spec in members),
        wiring=wiring,
        edges=tuple(edge.edge for edge in edges),
        store=store,
        limits=limits,
    )


def _options(place: Place) -> FrozenMap[str, Scalar | tuple[Scalar, ...]]:
    return FrozenMap({name: entry.option() for name, entry in place.entries().items()})


def _labels(place: Place) -> FrozenMap[str, str]:
    return FrozenMap({name: entry.text() for name, entry in place.entries().items()})


def _profile_limits(place: Place) -> ProfileLimits:
    return ProfileLimits.model_validate(
        place.read({"turn_timeout_s": Place.seconds, "attempts": Place.whole, "inbox": Place.whole})
    )


_PROFILE: Mapping[str, Callable[[Place], object]] = {
    "executor": lambda place: place.choice(get_args(Executor)),
    "call": Place.call,
    "isolation": lambda place: place.choice(get_args(Isolation)),
    "options": _options,
    "labels": _labels,
    "limits": _profile_limits,
}


def _profiles(place: Place) -> FrozenMap[str, Profile]:
    profiles: dict[str, Profile] = {}
    for name, entry in place.entries().items():
        entry.checked(name)
        fields = entry.read(_PROFILE, required=("call",))
        profiles[name] = Profile.model_validate({"name": name, **fields})
    return FrozenMap(profiles)


def _members(place: Place) -> list[tuple[str, MemberSpec]]:
    """Return each member with the key that declares it; a count makes several of one key."""
    members: list[tuple[str, MemberSpec]] = []
    known = ("name", "profile", "labels", "count")
    for entry in place.items("write [[members]] with two pairs of brackets"):
        table = entry.table(known, required=("name", "profile"))
        name = table["name"].name()
        profile = table["profile"].text()
        labels = _labels(table["labels"]) if "labels" in table else FrozenMap[str, str]()
        names: list[str] = [name]
        if "count" in table:
            count = table["count"].whole(most=MAX_COUNT)
            names = [table["name"].checked(f"{name}-{n}") for n in range(1, count + 1)]
        members += [
            (entry.key, MemberSpec(name=each, profile=profile, labels=labels)) for each in names
        ]
    return members


def _wiring(place: Place) -> Wiring:
    return Wiring.model_validate(
        place.read(
            {
                "orchestrator": Place.text,
                "auto_wire_orchestrator": Place.flag,
                "role_wiring": _role_wiring,
            }
        )
    )


def _role_wiring(place: Place) -> tuple[tuple[str, str], ...]:
    pairs: list[tuple[str, str]] = []
    for entry in place.items():
        roles = [role.text() for role in entry.items()]
        if len(roles) != 2:
            raise entry.error(f"must be two roles, not {len(roles)}")
        pairs.append((roles[0], roles[1]))
    return tuple(pairs)


class _Drawn(NamedTuple):
    """An edge with its endpoints as the file names them."""

    edge: Edge
    ends: tuple[tuple[str, str], tuple[str, str]]


def _edges(place: Place) -> list[_Drawn]:
    edges: list[_Drawn] = []
    for entry in place.items("write [[edges]] with two pairs of brackets"):
        table = entry.table(("a", "b"), required=("a", "b"))
        a, b = table["a"].text(), table["b"].text()
        try:
            edge = Edge.of(a, b)
        except WiringError as error:
            raise entry.error(f"{error.text}: '{a}' to '{b}'") from None
        edges.append(_Drawn(edge, ((f"{entry.key}.a", a.strip()), (f"{entry.key}.b", b.strip()))))
    return edges


def _store(place: Place) -> StoreSettings:
    choice = {"durability": lambda entry: entry.choice(get_args(Durability))}
    return StoreSettings.model_validate(place.read(choice))


def _limits(place: Place) -> Limits:
    return Limits.model_validate(
        place.read(
            {
                "drain_timeout_s": Place.seconds,
                "resync_s": Place.seconds,
                "restarts": lambda entry: entry.whole(least=0),
                "restart_window_s": Place.seconds,
            }
        )
    )
