"""The roster: a fold over the ledger, and what each event does to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.errors import MemberNotFound, StaleIncarnation
from actors.domain.events import (
    Emitted,
    Entry,
    InputAccepted,
    InputDone,
    InputFailed,
    LedgerEvent,
    MemberHeld,
    MemberRestarted,
    MemberRetired,
    MemberSpawned,
    MembersUnwired,
    MembersWired,
    MobCreated,
    MobStopped,
    TurnStarted,
)
from actors.domain.identity import Incarnation
from actors.domain.roster import Roster, RosterEntry, RosterSnapshot
from actors.domain.wiring import Edge
from transport.message import FrozenMap

NAMES = ["a", "b", "c", "d"]


def spawned(identity: str, fence: int, **more: object) -> MemberSpawned:
    fields = {"identity": identity, "profile": "w", "generation": 0, "fence": fence, **more}
    return MemberSpawned.model_validate(fields)


def wired(*pairs: str, managed: bool = True) -> MembersWired:
    return MembersWired(edges=tuple(Edge.of(*pair) for pair in pairs), managed=managed)


def unwired(*pairs: str) -> MembersUnwired:
    return MembersUnwired(edges=tuple(Edge.of(*pair) for pair in pairs))


def edges(*pairs: str) -> set[Edge]:
    return {Edge.of(*pair) for pair in pairs}


SOME_EDGES = st.lists(
    st.sampled_from(["ab", "ac", "ad", "bc", "bd", "cd"]).map(lambda pair: Edge.of(*pair)),
    max_size=3,
).map(tuple)
WHO = st.sampled_from(NAMES)
FENCES = st.integers(1, 20)
EVENTS: st.SearchStrategy[LedgerEvent] = st.one_of(
    st.builds(MemberSpawned, identity=WHO, profile=WHO, generation=st.just(0), fence=FENCES),
    st.builds(MemberRestarted, identity=WHO, generation=FENCES, fence=FENCES, reason=st.just("r")),
    st.builds(MemberHeld, identity=WHO, reason=st.just("r")),
    st.builds(MemberRetired, identity=WHO, reason=st.just("r")),
    st.builds(MembersWired, edges=SOME_EDGES, managed=st.booleans()),
    st.builds(MembersUnwired, edges=SOME_EDGES),
    st.builds(MobCreated, mob=st.just("m"), definition_digest=WHO),
    st.builds(MobStopped, drained=st.booleans()),
    st.builds(TurnStarted, identity=WHO, input_id=WHO, attempt=st.just(1), fence=FENCES),
)
HISTORIES = st.lists(EVENTS, max_size=30)


@given(HISTORIES, st.integers(0, 30))
def test_snapshot_plus_updates_is_full_replay(history: list[LedgerEvent], cut: int) -> None:
    roster = Roster.fold(history[:cut])
    for event in history[cut:]:
        roster.apply(event)

    assert roster.snapshot() == Roster.fold(history).snapshot()


@given(HISTORIES)
def test_replay_from_stored_entries_is_the_same_roster(history: list[LedgerEvent]) -> None:
    entries = [Entry(cursor=n, at_ms=0, event=event) for n, event in enumerate(history, start=1)]
    read = [Entry.model_validate_json(entry.model_dump_json()).event for entry in entries]

    assert Roster.fold(read).snapshot() == Roster.fold(history).snapshot()


@given(HISTORIES)
def test_edges_join_members_only_and_wired_to_agrees_with_them(history: list[LedgerEvent]) -> None:
    roster = Roster.fold(history)

    assert roster.managed <= roster.edges
    assert {edge.pair for edge in roster.edges} == roster.pairs
    assert {edge.pair for edge in roster.managed} == roster.managed_pairs
    for edge in roster.edges:
        assert {edge.a, edge.b} <= roster.members.keys()
    for name in NAMES:
        peers = {edge.other(name) for edge in roster.edges if name in edge.pair}
        assert roster.wired_to(name) == peers


@given(HISTORIES)
def test_next_fence_is_above_every_fence_of_the_ledger(history: list[LedgerEvent]) -> None:
    fences = [e.fence for e in history if isinstance(e, MemberSpawned | MemberRestarted)]

    assert Roster.fold(history).next_fence == max(fences, default=0) + 1


def test_empty_roster() -> None:
    roster = Roster()

    assert roster.snapshot() == RosterSnapshot(
        mob="", phase="new", members=(), edges=(), managed=(), next_fence=1, revision=0
    )
    assert roster.wired_to("a") == frozenset()


def test_1_1_first_members_have_fences_1_and_2() -> None:
    roster = Roster.fold([spawned("lead", 1), spawned("w-1", 2)])

    assert list(roster.members) == ["lead", "w-1"]
    assert [str(entry.incarnation) for entry in roster.members.values()] == [
        "lead:0 fence:1",
        "w-1:0 fence:2",
    ]


def test_spawned_member_has_what_its_event_says() -> None:
    roster = Roster.fold([spawned("a", 1, labels=FrozenMap({"k": "v"}), declared=False)])

    assert roster.member("a") == RosterEntry(
        identity="a",
        profile="w",
        generation=0,
        fence=1,
        state="active",
        labels=FrozenMap({"k": "v"}),
        restarts=0,
        declared=False,
    )
    assert roster.member("a").incarnation == Incarnation(identity="a", generation=0, fence=1)


def test_restart_changes_the_incarnation_and_keeps_the_rest() -> None:
    roster = Roster.fold(
        [
            spawned("a", 1, labels=FrozenMap({"k": "v"})),
            spawned("b", 2),
            wired("ab"),
            MemberHeld(identity="a", reason="budget"),
            MemberRestarted(identity="a", generation=1, fence=3, reason="failed"),
            MemberRestarted(identity="a", generation=2, fence=4, reason="failed"),
        ]
    )

    assert roster.member("a") == RosterEntry(
        identity="a",
        profile="w",
        generation=2,
        fence=4,
        labels=FrozenMap({"k": "v"}),
        restarts=2,
    )
    assert roster.edges == edges("ab")


def test_held_member_stays_on_the_roster_with_its_edges() -> None:
    roster = Roster.fold(
        [spawned("a", 1), spawned("b", 2), wired("ab"), MemberHeld(identity="a", reason="budget")]
    )

    assert (roster.member("a").state, roster.member("b").state) == ("held", "active")
    assert roster.wired_to("b") == {"a"}


def test_retired_member_takes_its_edges_along() -> None:
    roster = Roster.fold(
        [
            *(spawned(name, fence) for fence, name in enumerate("abc", start=1)),
            wired("ab", "ac", "bc"),
            MemberRetired(identity="a", reason="asked"),
        ]
    )

    assert list(roster.members) == ["b", "c"]
    assert roster.edges == roster.managed == edges("bc")
    assert roster.wired_to("b") == {"c"}
    assert roster.wired_to("a") == frozenset()


def test_identity_spawned_again_replaces_the_member_and_has_no_edges() -> None:
    roster = Roster.fold([spawned("a", 1), spawned("b", 2), wired("ab"), spawned("a", 3)])

    assert roster.member("a").fence == 3
    assert roster.edges == set()


def test_edges_of_users_are_not_managed_until_the_cycle_claims_them() -> None:
    roster = Roster.fold([spawned("a", 1), spawned("b", 2), wired("ab", managed=False)])
    assert (roster.edges, roster.managed) == (edges("ab"), set())

    roster.apply(wired("ab", managed=True))
    assert roster.managed == edges("ab")

    roster.apply(wired("ab", managed=False))
    assert roster.managed == edges("ab")


def test_unwiring_removes_an_edge_once() -> None:
    roster = Roster.fold([spawned("a", 1), spawned("b", 2), wired("ab"), unwired("ab", "ab")])

    assert (roster.edges, roster.managed) == (set(), set())


def test_mob_stopped_keeps_members_edges_and_fences_for_the_next_launch() -> None:
    roster = Roster.fold(
        [
            MobCreated(mob="m", definition_digest="d1"),
            spawned("a", 1),
            spawned("b", 7),
            wired("ab"),
            MobStopped(drained=True),
        ]
    )
    assert roster.phase == "stopped"

    roster.apply(MobCreated(mob="m", definition_digest="d2"))

    assert (roster.phase, roster.mob, roster.definition_digest) == ("running", "m", "d2")
    assert list(roster.members) == ["a", "b"]
    assert roster.edges == edges("ab")
    assert roster.next_fence == 8


@pytest.mark.parametrize(
    "event",
    [
        MemberRestarted(identity="x", generation=1, fence=1, reason="r"),
        MemberHeld(identity="x", reason="r"),
        MemberRetired(identity="x", reason="r"),
        MembersUnwired(edges=(Edge.of("a", "x"),)),
        MembersWired(edges=(Edge.of("a", "x"), Edge.of("0", "a")), managed=True),
    ],
)
def test_event_about_somebody_who_is_not_there_changes_no_member(event: LedgerEvent) -> None:
    roster = Roster.fold([spawned("a", 1)])
    before = roster.snapshot()

    roster.apply(event)

    assert roster.snapshot() == before.model_copy(update={"revision": 2})


@pytest.mark.parametrize(
    "event",
    [
        InputAccepted(identity="a", input_id="i", digest="d", body="b"),
        TurnStarted(identity="a", input_id="i", attempt=1, fence=1),
        Emitted(identity="a", input_id="i", kind="k", data="1"),
        InputDone(identity="a", input_id="i", output="1"),
        InputFailed(identity="a", input_id="i", error_type="E", error_text="", quarantined=True),
    ],
)
def test_inputs_and_turns_do_not_move_the_roster(event: LedgerEvent) -> None:
    roster = Roster.fold([spawned("a", 1)])
    before = roster.snapshot()

    roster.apply(event)

    assert roster.snapshot() == before


def test_1_3_stale_fence_names_the_runtime_id_and_both_fences() -> None:
    roster = Roster.fold(
        [
            spawned("lead", 1),
            spawned("w-1", 2),
            MemberRestarted(identity="w-1", generation=1, fence=3, reason="respawn"),
        ]
    )

    with pytest.raises(StaleIncarnation) as caught:
        roster.check_fence("w-1", 2)

    assert caught.value.args == ("w-1:1", 3, 2)
    assert roster.check_fence("w-1", 3) is roster.member("w-1")


def test_member_who_is_not_there_is_not_found() -> None:
    roster = Roster.fold([spawned("lead", 1)])

    with pytest.raises(MemberNotFound) as caught:
        roster.member("laed")
    with pytest.raises(MemberNotFound):
        roster.check_fence("laed", 1)

    assert caught.value.args == ("laed", ("lead",))


def test_snapshot_is_sorted_and_does_not_move_with_the_roster() -> None:
    roster = Roster.fold(
        [
            MobCreated(mob="m", definition_digest="d"),
            spawned("c", 1),
            spawned("b", 2),
            spawned("a", 3),
            wired("cb"),
            wired("ca", managed=False),
        ]
    )

    snapshot = roster.snapshot()
    roster.apply(MemberRetired(identity="c", reason="asked"))

    assert [entry.identity for entry in snapshot.members] == ["a", "b", "c"]
    assert snapshot.edges == (Edge.of("a", "c"), Edge.of("b", "c"))
    assert snapshot.managed == (Edge.of("b", "c"),)
    assert (snapshot.mob, snapshot.phase, snapshot.next_fence) == ("m", "running", 4)
    assert RosterSnapshot.model_validate_json(snapshot.model_dump_json()) == snapshot


def test_edges_are_a_read_only_set_that_follows_the_roster() -> None:
    roster = Roster.fold([spawned("a", 1), spawned("b", 2), spawned("c", 3)])
    view = roster.edges

    roster.apply(wired("ab", "bc"))

    assert view == edges("ab", "bc")
    assert len(view) == 2
    assert Edge.of("b", "a") in view
    assert Edge.of("a", "c") not in view
    assert not view.__contains__(("a", "b"))  # a pair is no edge; mypy refuses `in` for it
    assert view - edges("ab") == edges("bc")
    assert repr(view) == "{a -- b, b -- c}"
    assert not hasattr(view, "add")


@given(HISTORIES)
def test_a_copy_is_equal_and_does_not_change_with_its_original(history: list[LedgerEvent]) -> None:
    half = len(history) // 2
    roster = Roster.fold(history[:half])

    twin = roster.copy()
    before = roster.snapshot()
    assert twin.snapshot() == before

    for event in history[half:]:
        roster.apply(event)

    assert twin.snapshot() == before
    assert roster.snapshot() == Roster.fold(history).snapshot()
