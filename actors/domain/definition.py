"""What a mob shall be: profiles, members, wiring, store, limits.

A definition is checked as a whole when it is made, so the rest of the code never meets a member
without a profile or an edge to nobody. `definition_file` reads one from TOML and says where it is
wrong.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field, model_validator

from actors.domain.errors import (
    MemberNotFound,
    MobError,
    ProfileNotFound,
    did_you_mean,
    listed,
)
from actors.domain.identity import check_identity
from actors.domain.wiring import Edge
from transport.message import FrozenMap, Message

Executor = Literal["python"]
Isolation = Literal["async", "thread"]
Durability = Literal["full", "normal", "memory"]

Scalar = str | int | float | bool


def _valid_name(text: str) -> str:
    try:
        return check_identity(text)
    except MobError as error:
        # pydantic collects only ValueErrors.
        raise ValueError(str(error)) from error


def is_call(text: str) -> bool:
    """Say whether the text has the form `module:attribute`, both dotted Python names."""
    module, _, attribute = text.partition(":")
    return all(part.isidentifier() for part in (*module.split("."), *attribute.split(".")))


def _valid_call(text: str) -> str:
    if not is_call(text):
        raise ValueError("must be 'module:attribute'")
    return text


Name = Annotated[str, AfterValidator(_valid_name)]
Call = Annotated[str, AfterValidator(_valid_call)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class ProfileLimits(Message, tag="mob.profile_limits"):
    """What one member of a profile may use."""

    turn_timeout_s: Seconds = 120.0
    attempts: Count = 5
    """How often one input is tried before it is quarantined."""
    inbox: Count = 1000
    """How many inputs may wait."""


class Profile(Message, tag="mob.profile"):
    """The template a member is built from; its name is also the member's role."""

    name: Name
    executor: Executor = "python"
    call: Call
    isolation: Isolation = "async"
    options: FrozenMap[str, Scalar | tuple[Scalar, ...]] = FrozenMap()
    labels: FrozenMap[str, str] = FrozenMap()
    limits: ProfileLimits = ProfileLimits()


class MemberSpec(Message, tag="mob.member_spec"):
    """One declared member. Its labels win over the labels of its profile."""

    name: Name
    profile: str
    labels: FrozenMap[str, str] = FrozenMap()


class Wiring(Message, tag="mob.wiring"):
    """Which roles are joined without naming each edge (spec/member_runtime.md §5.6)."""

    orchestrator: str | None = None
    auto_wire_orchestrator: bool = False
    role_wiring: tuple[tuple[str, str], ...] = ()


class StoreSettings(Message, tag="mob.store_settings"):
    """How safe an accepted input is: `full` survives power loss, `normal` a crash."""

    durability: Durability = "full"


class Limits(Message, tag="mob.limits"):
    """What the mob as a whole may use."""

    drain_timeout_s: Seconds = 30.0
    resync_s: Seconds = 10.0
    """How often the supervisor reconciles without being nudged."""
    restarts: Annotated[int, Field(ge=0)] = 5
    """Restarts of one member within `restart_window_s` before it is held."""
    restart_window_s: Seconds = 60.0


class MobDefinition(Message, tag="mob.definition"):
    """The declared shape of a mob; consistent by construction (see `find_problem`)."""

    id: Name
    profiles: FrozenMap[str, Profile] = FrozenMap()
    members: tuple[MemberSpec, ...] = ()
    wiring: Wiring = Wiring()
    edges: tuple[Edge, ...] = ()
    store: StoreSettings = StoreSettings()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _consistent(self) -> MobDefinition:
        for key, profile in self.profiles.items():
            if key != profile.name:
                raise ValueError(f"profiles.{key}.name: is '{profile.name}'")
        problem = find_problem(
            self.profiles,
            [(f"members[{index}]", member) for index, member in enumerate(self.members)],
            self.wiring,
            [
                (f"edges[{index}].{end}", name)
                for index, edge in enumerate(self.edges)
                for end, name in (("a", edge.a), ("b", edge.b))
            ],
        )
        if problem is not None:
            raise ValueError(f"{problem.key}: {problem.text}")
        return self

    def profile(self, name: str) -> Profile:
        """Return the profile of this name.

        Raises:
            ProfileNotFound: There is none.
        """
        try:
            return self.profiles[name]
        except KeyError:
            raise ProfileNotFound(name, tuple(self.profiles)) from None

    def member(self, name: str) -> MemberSpec:
        """Return the declared member of this name; looks through the members one by one.

        Raises:
            MemberNotFound: None is declared.
        """
        # Not cached: model_copy(update=...) would take the cache along.
        for member in self.members:
            if member.name == name:
                return member
        raise MemberNotFound(name, tuple(member.name for member in self.members))

    def digest(self) -> str:
        """Return 64 hex digits, equal for equal definitions.

        BLAKE2b over JSON with sorted keys, in which a value equal to its default is left out: so a
        later version that adds a setting keeps the digests of definitions that do not use it.
        """
        shape = self.model_dump(mode="json", exclude_defaults=True)
        text = json.dumps(shape, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()


class Problem(NamedTuple):
    """Where a definition contradicts itself, and how."""

    key: str
    text: str
    hint: str | None = None


def find_problem(
    profiles: Collection[str],
    members: Iterable[tuple[str, MemberSpec]],
    wiring: Wiring,
    ends: Iterable[tuple[str, str]],
) -> Problem | None:
    """Return the first contradiction between the parts of a definition, or None.

    Args:
        profiles: The names of the profiles.
        members: The declared members, each with the key of the place that declares it (several may
            come from one place).
        wiring: The wiring by roles.
        ends: The endpoints of the explicit edges, each with its key.
    """
    places: dict[str, str] = {}
    for place, member in members:
        if member.name in places:
            hint = f"{places[member.name]} gives it already"
            return Problem(f"{place}.name", f"duplicate member '{member.name}'", hint)
        places[member.name] = place
        if member.profile not in profiles:
            return _unknown(f"{place}.profile", "profile", member.profile, profiles)
    roles = [
        (f"wiring.role_wiring[{i}]", r) for i, pair in enumerate(wiring.role_wiring) for r in pair
    ]
    if wiring.orchestrator is not None:
        roles.insert(0, ("wiring.orchestrator", wiring.orchestrator))
    elif wiring.auto_wire_orchestrator:
        hint = 'name a profile in wiring.orchestrator, for example orchestrator = "lead"'
        return Problem("wiring.auto_wire_orchestrator", "no orchestrator is named", hint)
    for key, role in roles:
        if role not in profiles:
            return _unknown(key, "role", role, profiles)
    for key, name in ends:
        if name not in places:
            return _unknown(key, "member", name, places)
    return None


def _unknown(key: str, kind: str, name: str, known: Collection[str]) -> Problem:
    """`kind` is a noun; a role is the name of a profile."""
    plural = "members" if kind == "member" else "profiles"
    text = f"no {kind} '{name}'{did_you_mean(name, known)}"
    return Problem(key, text, f"{plural} are: {listed(known)}")
