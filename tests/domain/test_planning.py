"""Plans: what is missing, what is too much, and that carrying one out settles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.definition import Limits, MemberSpec, MobDefinition, Profile, Wiring
from actors.domain.errors import (
    InvalidIdentity,
    MemberAlreadyExists,
    MemberNotFound,
    ProfileNotFound,
    WiringError,
)
from actors.domain.events import (
    MemberHeld,
    MemberRestarted,
    MemberRetired,
    MemberSpawned,
    MembersUnwired,
    MembersWired,
)
from actors.domain.planning import Plan, SpawnMember, plan, restarted, spawned
from actors.domain.roster import Roster
from actors.domain.wiring import Edge, desired_edges
from transport.message import FrozenMap

ROLES = ("lead", "w", "x")
NAMES = ("a", "b", "c", "d", "e")
PROFILES = FrozenMap(
    {
        "lead": Profile(name="lead", call="m:f"),
        "w": Profile(name="w", call="m:f", labels=FrozenMap({"team": "core", "shift": "day"})),
        "x": Profile(name="x", call="m:f"),
    }
)
STAR = Wiring(orchestrator="lead", auto_wire_orchestrator=True)


def mob(*members: str, wiring: Wiring | None = None, edges: tuple[Edge, ...] = ()) -> MobDefinition:
    """Members are written `name=role`."""
    specs = (member.split("=") for member in members)
    return MobDefinition(
        id="m",
        profiles=PROFILES,
        members=tuple(MemberSpec(name=name, profile=role) for name, role in specs),
        wiring=wiring or Wiring(),
        edges=edges,
        limits=Limits(resync_s=7.0),
    )


def carry_out(made: Plan, definition: MobDefinition, roster: Roster) -> None:
    for identity in made.retire:
        roster.apply(MemberRetired(identity=identity, reason="not declared"))
    for spawn in made.spawn:
        roster.apply(
            spawned(
                definition,
                roster,
                spawn.identity,
                spawn.profile,
                labels=spawn.labels,
                declared=True,
            )
        )
    roster.apply(MembersWired(edges=made.wire, managed=True))
    roster.apply(MembersUnwired(edges=made.unwire))


def running(definition: MobDefinition) -> Roster:
    roster = Roster()
    carry_out(plan(definition, roster, 0.0), definition, roster)
    return roster


def by_hand(roster: Roster, definition: MobDefinition, identity: str, profile: str) -> None:
    roster.apply(spawned(definition, roster, identity, profile))


SOME_PAIRS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)).filter(lambda p: p[0] != p[1]),
    max_size=4,
).map(lambda pairs: tuple(Edge.of(x, y) for x, y in pairs))
ROLE = st.sampled_from(ROLES)


@st.composite
def definitions(draw: st.DrawFn) -> MobDefinition:
    members = draw(st.dictionaries(st.sampled_from(NAMES), ROLE))
    wiring = Wiring(
        orchestrator="lead",
        auto_wire_orchestrator=draw(st.booleans()),
        role_wiring=tuple(draw(st.lists(st.tuples(ROLE, ROLE), max_size=2))),
    )
    edges = tuple(e for e in draw(SOME_PAIRS) if e.a in members and e.b in members)
    return mob(*(f"{n}={r}" for n, r in members.items()), wiring=wiring, edges=edges)


@st.composite
def rosters(draw: st.DrawFn) -> Roster:
    roster = Roster()
    members = draw(st.dictionaries(st.sampled_from(NAMES), st.tuples(ROLE, st.booleans())))
    for fence, (name, (role, declared)) in enumerate(members.items(), start=1):
        roster.apply(
            MemberSpawned(identity=name, profile=role, generation=0, fence=fence, declared=declared)
        )
    for name in draw(st.sets(st.sampled_from(NAMES))):
        roster.apply(MemberHeld(identity=name, reason="budget"))
    roster.apply(MembersWired(edges=draw(SOME_PAIRS), managed=False))
    roster.apply(MembersWired(edges=draw(SOME_PAIRS), managed=True))
    return roster


@given(definitions(), rosters())
def test_plan_after_a_carried_out_plan_is_empty(definition: MobDefinition, roster: Roster) -> None:
    first = plan(definition, roster, 0.0)
    carry_out(first, definition, roster)

    second = plan(definition, roster, 1.0)

    assert second.empty
    assert second == Plan(
        held=first.held,
        base=roster.revision,
        requeue_after=7.0 if first.held else None,
    )


@given(definitions(), rosters())
def test_carried_out_plan_gives_the_declared_members_and_edges(
    definition: MobDefinition, roster: Roster
) -> None:
    users_members = {e.identity for e in roster.members.values() if not e.declared}
    users_edges = set(roster.edges) - set(roster.managed)

    carry_out(plan(definition, roster, 0.0), definition, roster)

    declared = {spec.name for spec in definition.members}
    assert roster.members.keys() == declared | users_members
    roles = {name: entry.profile for name, entry in roster.members.items()}
    desired = desired_edges(definition, roles)
    left = {e for e in users_edges if e.a in roster.members and e.b in roster.members}
    assert roster.edges == desired | left
    assert roster.managed <= desired


@given(definitions(), rosters())
def test_planning_changes_nothing_and_has_one_order(
    definition: MobDefinition, roster: Roster
) -> None:
    before = roster.snapshot()

    made = plan(definition, roster, 0.0)

    assert plan(definition, roster, 9.0) == made
    assert roster.snapshot() == before
    assert made.base == before.revision
    assert list(made.retire) == sorted(made.retire)
    assert list(made.wire) == sorted(set(made.wire))
    assert list(made.unwire) == sorted(set(made.unwire))
    wanted = [spec.name for spec in definition.members]
    assert [s.identity for s in made.spawn] == [n for n in wanted if n not in roster.members]
    assert Plan.model_validate_json(made.model_dump_json()) == made


def test_first_plan_spawns_in_the_order_of_the_definition_and_wires() -> None:
    definition = mob("z=w", "lead=lead", "a=w", wiring=STAR)

    made = plan(definition, Roster(), 0.0)

    labels = FrozenMap({"team": "core", "shift": "day"})
    assert made == Plan(
        spawn=(
            SpawnMember(identity="z", profile="w", labels=labels),
            SpawnMember(identity="lead", profile="lead"),
            SpawnMember(identity="a", profile="w", labels=labels),
        ),
        wire=(Edge.of("a", "lead"), Edge.of("lead", "z")),
        base=0,
        requeue_after=7.0,
    )
    assert not made.empty


def test_labels_of_a_member_win_over_those_of_its_profile() -> None:
    definition = MobDefinition(
        id="m",
        profiles=PROFILES,
        members=(MemberSpec(name="a", profile="w", labels=FrozenMap({"shift": "night"})),),
    )

    (spawn,) = plan(definition, Roster(), 0.0).spawn

    assert spawn.labels == {"team": "core", "shift": "night"}


def test_settled_mob_needs_nothing() -> None:
    definition = mob("lead=lead", "a=w", wiring=STAR)
    roster = running(definition)

    assert plan(definition, roster, 0.0) == Plan(base=roster.revision)


def test_member_no_longer_declared_is_retired_and_its_edges_are_not_listed() -> None:
    roster = running(mob("lead=lead", "c=w", "b=w", "a=w", wiring=STAR))

    made = plan(mob("lead=lead", "a=w", wiring=STAR), roster, 0.0)

    assert made.retire == ("b", "c")
    assert (made.spawn, made.wire, made.unwire) == ((), (), ())


def test_member_spawned_by_hand_is_wired_by_its_role_and_never_retired() -> None:
    definition = mob("lead=lead", wiring=STAR)
    roster = running(definition)
    by_hand(roster, definition, "guest", "w")

    assert plan(definition, roster, 0.0).wire == (Edge.of("guest", "lead"),)
    assert plan(mob(), roster, 0.0).retire == ("lead",)


def test_member_spawned_by_hand_and_then_declared_is_retained() -> None:
    definition = mob("a=w")
    roster = Roster()
    by_hand(roster, definition, "a", "w")

    assert plan(definition, roster, 0.0).empty
    assert plan(mob(), roster, 0.0).empty


def test_retained_member_is_not_compared_with_its_specification() -> None:
    roster = running(mob("lead=lead", "a=w", wiring=STAR))

    made = plan(mob("lead=lead", "a=lead", wiring=STAR), roster, 0.0)

    assert made.empty


def test_edge_no_longer_desired_is_unwired_when_managed() -> None:
    roster = running(mob("lead=lead", "a=w", "b=w", wiring=STAR))

    assert plan(mob("lead=lead", "a=w", "b=w"), roster, 0.0).unwire == (
        Edge.of("a", "lead"),
        Edge.of("b", "lead"),
    )


def test_users_edge_is_neither_unwired_nor_claimed() -> None:
    plain = mob("lead=lead", "a=w", "b=w")
    roster = running(plain)
    roster.apply(MembersWired(edges=(Edge.of("lead", "a"), Edge.of("a", "b")), managed=False))

    assert plan(plain, roster, 0.0).empty
    assert plan(mob("lead=lead", "a=w", "b=w", wiring=STAR), roster, 0.0).wire == (
        Edge.of("b", "lead"),
    )


def test_desired_edge_that_was_cut_is_wired_again() -> None:
    definition = mob("lead=lead", "a=w", wiring=STAR)
    roster = running(definition)
    roster.apply(MembersUnwired(edges=(Edge.of("lead", "a"),)))

    assert plan(definition, roster, 0.0).wire == (Edge.of("a", "lead"),)


def test_held_member_is_named_kept_and_not_spawned_again() -> None:
    definition = mob("lead=lead", "a=w", wiring=STAR)
    roster = running(definition)
    roster.apply(MemberHeld(identity="a", reason="budget"))

    made = plan(definition, roster, 0.0)

    assert made == Plan(held=("a",), base=roster.revision, requeue_after=7.0)
    assert made.empty


def test_held_member_no_longer_declared_is_retired() -> None:
    roster = running(mob("a=w"))
    roster.apply(MemberHeld(identity="a", reason="budget"))

    made = plan(mob(), roster, 0.0)

    assert (made.retire, made.held) == (("a",), ())


def test_5_26_level_based_lead_declared_after_its_worker_is_wired_to_it() -> None:
    roster = running(mob("a=w", wiring=STAR))

    made = plan(mob("a=w", "lead=lead", wiring=STAR), roster, 0.0)

    assert [spawn.identity for spawn in made.spawn] == ["lead"]
    assert made.wire == (Edge.of("a", "lead"),)


def test_1_1_spawning_lead_then_worker_gives_fences_1_and_2() -> None:
    roster, definition = Roster(), mob()
    by_hand(roster, definition, "lead", "lead")
    by_hand(roster, definition, "w-1", "w")

    assert [(str(e.incarnation.runtime_id), e.fence) for e in roster.members.values()] == [
        ("lead:0", 1),
        ("w-1:0", 2),
    ]


def test_1_2_respawn_raises_generation_and_fence() -> None:
    roster = running(mob("lead=lead", "w-1=w"))

    assert restarted(roster, "w-1", "asked") == MemberRestarted(
        identity="w-1", generation=1, fence=3, reason="asked"
    )


def test_1_4_retired_and_spawned_again_starts_at_generation_0_with_a_new_fence() -> None:
    definition = mob("lead=lead", "w-1=w")
    roster = running(definition)
    roster.apply(restarted(roster, "w-1", "asked"))
    roster.apply(MemberRetired(identity="w-1", reason="asked"))

    event = spawned(definition, roster, "w-1", "w")

    assert (event.generation, event.fence) == (0, 4)


def test_1_5_reserved_prefix_comes_before_every_other_check() -> None:
    with pytest.raises(WiringError, match="'__flow_system_x' begins with the reserved prefix"):
        spawned(mob(), Roster(), "__flow_system_x", "ghost")


def test_bad_identity_is_not_spawned() -> None:
    with pytest.raises(InvalidIdentity):
        spawned(mob(), Roster(), "a/b", "w")


def test_1_6_taken_identity_comes_before_the_profile() -> None:
    definition = mob("w-1=w")
    roster = running(definition)
    before = roster.snapshot()

    with pytest.raises(MemberAlreadyExists):
        spawned(definition, roster, "w-1", "ghost")

    assert roster.snapshot() == before


def test_1_7_identity_of_a_held_member_is_taken() -> None:
    definition = mob("w-1=w")
    roster = running(definition)
    roster.apply(MemberHeld(identity="w-1", reason="budget"))

    with pytest.raises(MemberAlreadyExists):
        spawned(definition, roster, "w-1", "w")


def test_1_8_undefined_role_is_profile_not_found() -> None:
    with pytest.raises(ProfileNotFound) as caught:
        spawned(mob(), Roster(), "x", "ghost")

    assert caught.value.profile == "ghost"


def test_several_spawns_of_one_write_count_their_fences_on() -> None:
    roster, definition = Roster(), mob()

    events = [
        spawned(definition, roster, f"w-{n}", "w", fence=roster.next_fence + n) for n in range(3)
    ]

    assert [event.fence for event in events] == [1, 2, 3]


def test_spawn_by_hand_is_not_declared_and_takes_the_labels_of_its_profile() -> None:
    event = spawned(mob(), Roster(), "g", "w", labels={"shift": "night"})

    assert event == MemberSpawned(
        identity="g",
        profile="w",
        generation=0,
        fence=1,
        labels=FrozenMap({"team": "core", "shift": "night"}),
        declared=False,
    )


def test_restart_of_nobody_is_member_not_found() -> None:
    with pytest.raises(MemberNotFound):
        restarted(Roster(), "ghost", "asked")


def test_plan_of_a_large_settled_mob_is_empty() -> None:
    names = [f"w-{n}" for n in range(2_000)]
    definition = mob(
        *(f"{name}=w" for name in names),
        edges=tuple(
            Edge.of(name, names[n - step]) for step in (1, 7, 13) for n, name in enumerate(names)
        ),
    )
    roster = running(definition)

    assert len(roster.edges) == 6_000
    assert plan(definition, roster, 0.0).empty
