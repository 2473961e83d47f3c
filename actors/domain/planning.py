"""Decide what to do next: the plan that takes the roster to the definition, and single steps.

A plan is made first and carried out by somebody else (docs/design.md §6: `plan` is pure and comes
first). It reads whole states and never the event that woke the planner, so a lost or repeated nudge
changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from actors.domain.definition import MobDefinition
from actors.domain.errors import MemberAlreadyExists
from actors.domain.events import MemberRestarted, MemberSpawned
from actors.domain.identity import check_identity
from actors.domain.roster import Roster
from actors.domain.wiring import Edge, Pair, desired_pairs
from transport.message import FrozenMap, Message


class SpawnMember(Message, tag="mob.spawn_member"):
    """One declared member to start; the labels are the profile's, overlaid by its own."""

    identity: str
    profile: str
    labels: FrozenMap[str, str] = FrozenMap()


class Plan(Message, tag="mob.plan"):
    """What to do, in this order: retire, spawn, wire, unwire.

    `base` is the `Roster.revision` it was made from: carry it out only while that is still true.
    `held` names the members that stay as they are until a person acts. `requeue_after`, in seconds,
    says when to plan again; None when the roster is as desired.
    """

    retire: tuple[str, ...] = ()
    spawn: tuple[SpawnMember, ...] = ()
    unwire: tuple[Edge, ...] = ()
    wire: tuple[Edge, ...] = ()
    held: tuple[str, ...] = ()
    base: int = 0
    requeue_after: float | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do; held members do not count."""
        return not (self.retire or self.spawn or self.unwire or self.wire)


def plan(definition: MobDefinition, roster: Roster, now: float) -> Plan:
    """Say what to do so that the roster becomes what the definition asks.

    - Spawned: declared members that are not on the roster, in the order of the definition.
    - Retired: members the definition once declared and no longer does, sorted. Members spawned by
      hand are never retired.
    - Retained members are not compared with their specification, as in spec/member_runtime.md §5.8:
      a changed profile or label takes effect when the member is retired and spawned again.
    - Held members are neither retried nor replaced.
    - Wired: the desired edges (`wiring.desired_edges`, over all members there will be, by their
      actual roles) that are missing and whose two endpoints will be there, sorted.
    - Unwired: managed edges that are no longer desired, sorted. Edges that users made are never
      touched, nor claimed when the definition asks for them too (INV-2.4 of
      spec/unified_runtime.md §2.8). Edges of a retired member go with it and are not listed.

    A plan made after this one was carried out is empty.

    Args:
        definition: Desired state.
        roster: Observed state as of `roster.revision`; may be stale.
        now: Seconds on the caller's monotonic clock. No rule of today reads it.

    Raises:
        Nothing.
    """
    del now  # given, so that a rule that waits will change no caller
    current = roster.members
    declared = {spec.name for spec in definition.members}
    retire = sorted(
        entry.identity
        for entry in current.values()
        if entry.declared and entry.identity not in declared
    )
    leaving = frozenset(retire)
    roles = {name: entry.profile for name, entry in current.items() if name not in leaving}
    held = sorted(name for name in roles if current[name].state == "held")
    spawn: list[SpawnMember] = []
    for spec in definition.members:
        if spec.name not in current:
            labels = _labels(definition, spec.profile, spec.labels)
            spawn.append(SpawnMember(identity=spec.name, profile=spec.profile, labels=labels))
            roles[spec.name] = spec.profile
    # Sets of plain pairs: hashing and comparing 50,000 models would take most of the time.
    desired = desired_pairs(definition, roles)
    wire = desired - roster.pairs
    unwire = roster.managed_pairs - desired
    settled = not (retire or spawn or wire or unwire or held)
    return Plan(
        retire=tuple(retire),
        spawn=tuple(spawn),
        unwire=_edges(unwire, roles),
        wire=_edges(wire, roles),
        held=tuple(held),
        base=roster.revision,
        requeue_after=None if settled else definition.limits.resync_s,
    )


def _edges(pairs: Iterable[Pair], roles: Mapping[str, str]) -> tuple[Edge, ...]:
    return tuple(Edge(a=a, b=b) for a, b in sorted(pairs) if a in roles and b in roles)


def _labels(definition: MobDefinition, profile: str, own: Mapping[str, str]) -> FrozenMap[str, str]:
    return FrozenMap({**definition.profile(profile).labels, **own})


def spawned(
    definition: MobDefinition,
    roster: Roster,
    identity: str,
    profile: str,
    *,
    labels: Mapping[str, str] = FrozenMap(),
    declared: bool = False,
    fence: int | None = None,
) -> MemberSpawned:
    """Return the event that spawns a member, with generation 0; append it, then apply it.

    Args:
        definition: Where the profile must be defined.
        roster: The members there are.
        identity: The name of the new member.
        profile: Its role.
        labels: Its own labels; they overlay those of the profile.
        declared: True for a member of the definition, False for one spawned by hand.
        fence: `roster.next_fence` by default. Whoever appends several events at once counts on
            from there.

    Raises (in this order, spec/member_runtime.md §5.3 step 3; nothing is changed):
        InvalidIdentity, WiringError: The name is not allowed, or reserved (1-5).
        MemberAlreadyExists: The name is on the roster, active or held (1-6).
        ProfileNotFound: The definition has no such profile (1-8).
    """
    name = check_identity(identity)
    if name in roster.members:
        raise MemberAlreadyExists(name)
    return MemberSpawned(
        identity=name,
        profile=profile,
        generation=0,
        fence=roster.next_fence if fence is None else fence,
        labels=_labels(definition, profile, labels),
        declared=declared,
    )


def restarted(
    roster: Roster, identity: str, reason: str, *, fence: int | None = None
) -> MemberRestarted:
    """Return the event that starts the next incarnation: generation + 1, a new fence (1-2).

    `fence` is `roster.next_fence` by default, as in `spawned`.

    Raises:
        MemberNotFound: Nobody has this identity.
    """
    entry = roster.member(identity)
    return MemberRestarted(
        identity=identity,
        generation=entry.generation + 1,
        fence=roster.next_fence if fence is None else fence,
        reason=reason,
    )
