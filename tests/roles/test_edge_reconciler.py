"""The edge reconciler as an actor: SC-2.1 to SC-2.16 of spec/unified_runtime.md where they apply.

The decisions are tested in tests/domain/test_edges.py; here it is commit, effect, and ownership.
SC-2.12 and SC-2.14 have the ledger as what fails, SC-2.13 cannot happen (nobody else wires while
the reconciler does), SC-2.11 happens when the ledger fails half way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from actors import ActorSystem
from actors.domain.definition_file import definition_from
from actors.domain.edges import EdgeReport
from actors.domain.errors import StoreError
from actors.domain.events import LedgerEvent, MemberSpawned, MembersUnwired, MembersWired
from actors.domain.roster import Roster
from actors.domain.wiring import Edge
from actors.kernel.simulation import SimulatedWorld, simulated
from actors.roles import edge_reconciler as module
from actors.roles.edge_reconciler import EdgeReconciler
from actors.roles.forwarder import Forwarder
from actors.roles.messages import (
    ChangeEdges,
    EdgeOutcome,
    GetPeers,
    MemberJoined,
    MemberLeft,
    Open,
    ReconcileEdges,
)
from actors.roles.router import Router
from tests.roles.stage import RefusingLedger

NAMES = ("a", "b", "c")


def pair(text: str) -> Edge:
    return Edge.of(text[0], text[1])


def pairs(*texts: str) -> tuple[Edge, ...]:
    return tuple(map(pair, texts))


def spawned(*names: str) -> list[LedgerEvent]:
    return [
        MemberSpawned(identity=name, profile="p", generation=0, fence=n + 1)
        for n, name in enumerate(names)
    ]


class Rig:
    """An edge reconciler with its router and its ledger."""

    def __init__(
        self, system: ActorSystem, world: SimulatedWorld, desired: tuple[str, ...]
    ) -> None:
        self.system = system
        self.world = world
        self.ledger = RefusingLedger()
        self.events: list[LedgerEvent] = []
        self.forwarder = system.start(Forwarder, self.ledger, name="forwarder")
        self.start(desired, spawned(*NAMES))

    def start(self, desired: tuple[str, ...], before: list[LedgerEvent]) -> None:
        """Start (again) from the events of a ledger, with another definition."""
        names = {name for text in desired for name in text} | set(NAMES)
        definition = definition_from(
            {
                "id": "edges",
                "profiles": {"p": {"call": "m:f"}},
                "members": [{"name": name, "profile": "p"} for name in sorted(names)],
                "edges": [{"a": text[0], "b": text[1]} for text in desired],
            }
        )
        roster = Roster.fold(before)
        self.router = self.system.start(Router)
        self.router.tell(Open())
        for name in NAMES:
            self.router.tell(_attached(name))
        self.ref = self.system.start(
            EdgeReconciler, definition, roster, self.forwarder, self.router, wait=True
        )

    def reconcile(self) -> EdgeReport:
        return self._took(self.ref.ask(ReconcileEdges()))

    def change(self, **edges: Any) -> EdgeReport:
        return self._took(self.ref.ask(ChangeEdges(**edges)))

    def _took(self, outcome: EdgeOutcome) -> EdgeReport:
        self.events += outcome.events
        return outcome.report

    @property
    def managed(self) -> set[Edge]:
        actor: Any = self.ref.actor_inbox.actor
        return set(actor._managed)

    @property
    def open(self) -> set[Edge]:
        """The pairs that the router lets through."""
        found = set()
        for name in NAMES:
            for peer in self.router.ask(GetPeers(identity=name)):
                found.add(Edge.of(name, peer))
        return found

    @property
    def written(self) -> list[LedgerEvent]:
        return [entry.event for entry in self.ledger.read()]


def _attached(name: str) -> Any:
    from actors.roles.router import Attach

    return Attach(name, "p", None)  # type: ignore[arg-type]  # nothing is delivered here


@contextmanager
def rig(*desired: str) -> Iterator[Rig]:
    with simulated(11) as world, ActorSystem("edges", scheduler=world) as system:
        yield Rig(system, world, desired)


def test_sc_2_1_nothing_desired_and_nothing_done() -> None:
    with rig() as edges:
        report = edges.reconcile()

        assert report == EdgeReport()
        assert report.complete
        assert edges.written == []


def test_sc_2_2_a_desired_edge_is_committed_opened_and_owned() -> None:
    with rig("ab") as edges:
        assert edges.reconcile().wired_edges == pairs("ab")

        assert edges.managed == edges.open == {pair("ab")}
        assert edges.written == [MembersWired(edges=pairs("ab"), managed=True)] == edges.events


def test_sc_2_3_a_second_cycle_finds_nothing_to_do() -> None:
    with rig("ab") as edges:
        edges.reconcile()
        report = edges.reconcile()

        assert report.retained_edges == pairs("ab")
        assert len(edges.written) == 1


def test_sc_2_4_an_edge_that_went_with_its_member_is_made_again_for_the_namesake() -> None:
    with rig("ab") as edges:
        edges.reconcile()
        edges.ref.tell(MemberLeft(identity="b"))
        assert edges.reconcile().skipped_missing_members == pairs("ab")
        edges.ref.tell(MemberJoined(identity="b", profile="p"))

        assert edges.reconcile().wired_edges == pairs("ab")
        assert edges.managed == {pair("ab")}


def test_sc_2_5_an_edge_of_the_operator_is_neither_claimed_nor_cut() -> None:
    with rig("ab") as edges:
        edges.change(wire=pairs("ab"))

        assert edges.reconcile().preexisting_edges == pairs("ab")
        assert edges.managed == set()
        edges.start((), [*spawned(*NAMES), *edges.events])
        assert edges.reconcile() == EdgeReport()
        assert edges.open == {pair("ab")}


def test_sc_2_6_an_owned_edge_that_is_no_longer_desired_is_cut_after_a_relaunch() -> None:
    with rig("ab", "bc") as edges:
        edges.reconcile()
        edges.start(("bc",), [*spawned(*NAMES), *edges.events])  # ownership came from the ledger

        assert edges.reconcile().unwired_edges == pairs("ab")
        assert edges.managed == edges.open == {pair("bc")}
        assert edges.written[-1] == MembersUnwired(edges=pairs("ab"))


def test_sc_2_7_an_edge_of_a_member_that_left_needs_no_cut() -> None:
    with rig("ab") as edges:
        edges.reconcile()
        edges.ref.tell(MemberLeft(identity="b"))
        written = len(edges.written)
        edges.reconcile()

        assert edges.managed == set()
        assert len(edges.written) == written


def test_sc_2_8_an_owned_edge_that_the_operator_cut_is_forgotten() -> None:
    with rig("ab") as edges:
        edges.reconcile()
        edges.change(unwire=pairs("ab"))

        assert edges.managed == edges.open == set()


def test_an_edge_that_the_operator_cut_comes_back_while_it_is_desired() -> None:
    with rig("ab") as edges:
        edges.reconcile()
        edges.change(unwire=pairs("ab"))

        assert edges.reconcile().wired_edges == pairs("ab")
        assert edges.managed == edges.open == {pair("ab")}


def test_sc_2_9_an_edge_to_nobody_is_skipped_and_named() -> None:
    with rig("ax") as edges:
        report = edges.reconcile()

        assert report.skipped_missing_members == pairs("ax")
        assert not report.complete


def test_sc_2_11_a_batch_that_is_refused_half_way_owns_what_was_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CHUNK", 1)
    with rig("ab", "ac") as edges:
        answer = edges.ref.ask(ReconcileEdges(), block=False)
        edges.world.run_until(lambda: edges.ledger.head() == 1, timeout=5)
        edges.ledger.full = True
        report = edges._took(answer.get(timeout=5))

        assert report.wired_edges == pairs("ab")
        assert [failure.edge for failure in report.failures] == [pair("ac")]
        assert edges.managed == edges.open == {pair("ab")}
        assert edges.events == edges.written
        edges.ledger.full = False
        assert edges.reconcile().wired_edges == pairs("ac")


def test_sc_2_12_a_refused_batch_fails_every_edge_with_its_reason_and_opens_none() -> None:
    with rig("ab", "ac") as edges:
        edges.ledger.full = True
        report = edges.reconcile()

        assert [(f.edge, f.operation) for f in report.failures] == [
            (pair("ab"), "wire"),
            (pair("ac"), "wire"),
        ]
        assert all("the disk is full" in failure.error for failure in report.failures)
        assert edges.managed == edges.open == set()
        edges.ledger.full = False
        assert edges.reconcile().wired_edges == pairs("ab", "ac")


def test_sc_2_14_a_refused_cut_stays_owned_and_open_and_the_next_cycle_retries() -> None:
    with rig("ab") as edges:
        edges.reconcile()
        edges.start((), [*spawned(*NAMES), *edges.events])
        edges.ledger.full = True
        report = edges.reconcile()

        assert [(f.edge, f.operation) for f in report.failures] == [(pair("ab"), "unwire")]
        assert edges.managed == edges.open == {pair("ab")}
        edges.ledger.full = False
        assert edges.reconcile().unwired_edges == pairs("ab")
        assert edges.managed == edges.open == set()


def test_sc_2_15_an_edge_asked_for_twice_is_made_once() -> None:
    with rig("ba", "ab", "ab") as edges:
        assert edges.reconcile().wired_edges == pairs("ab")
        assert len(edges.written) == 1


def test_wiring_what_is_wired_and_cutting_what_is_not_there_writes_nothing() -> None:
    with rig() as edges:
        assert edges.change(wire=pairs("ab")).wired_edges == pairs("ab")
        assert edges.change(wire=pairs("ab")) == EdgeReport()
        assert edges.change(unwire=pairs("bc")) == EdgeReport()

        assert edges.written == [MembersWired(edges=pairs("ab"), managed=False)]


def test_a_refused_edge_of_the_operator_leaves_everything_as_it_was() -> None:
    with rig() as edges:
        edges.ledger.full = True
        with pytest.raises(StoreError):
            edges.change(wire=pairs("ab"))
        assert edges.open == set()
        edges.ledger.full = False
        edges.change(wire=pairs("ab"))
        edges.ledger.full = True
        with pytest.raises(StoreError):
            edges.change(unwire=pairs("ab"))

        assert edges.open == {pair("ab")}


def test_what_the_ledger_says_is_open_is_open_before_the_first_reconcile() -> None:
    with rig("ab") as edges:
        edges.reconcile()
        edges.start(("ab",), [*spawned(*NAMES), *edges.events])

        assert edges.open == {pair("ab")}
        assert edges.reconcile().retained_edges == pairs("ab")
