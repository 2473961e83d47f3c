"""Edge reconcile: scenarios of spec/unified_runtime.md §2.9 by number, its invariants as laws."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.edges import (
    OMITTED_UNWIRE,
    OMITTED_WIRE,
    EdgeChanges,
    EdgeFailure,
    EdgeReport,
    UnwireOutcome,
    WireOutcome,
    classify,
    settle,
)
from actors.domain.reports import ReconcileReport
from actors.domain.wiring import Edge

AB, AC, AX, BC = Edge.of("a", "b"), Edge.of("a", "c"), Edge.of("a", "x"), Edge.of("b", "c")

Batch = Callable[[tuple[Edge, ...]], WireOutcome]
Unwire = Callable[[Edge], str | None]


def wires_all(edges: tuple[Edge, ...]) -> WireOutcome:
    return WireOutcome(wired=edges)


def unwires_it(edge: Edge) -> None:
    return None


@dataclass
class World:
    """A graph, a roster and a managed set; `reconcile` is one cycle over them."""

    roster: set[str] = field(default_factory=lambda: {"a", "b", "c"})
    graph: set[Edge] = field(default_factory=set)
    managed: frozenset[Edge] = frozenset()
    batches: list[tuple[Edge, ...]] = field(default_factory=list)
    unwires: list[Edge] = field(default_factory=list)

    def reconcile(
        self,
        desired: Iterable[Edge],
        *,
        batch: Batch = wires_all,
        unwire: Unwire = unwires_it,
    ) -> EdgeReport:
        changes = classify(desired, self.graph, self.managed, self.roster)
        outcome = None
        if changes.batch:
            self.batches.append(changes.batch)
            outcome = batch(changes.batch)
            self.graph.update(outcome.wired)
        answers = []
        for edge in changes.unwire:
            self.unwires.append(edge)
            error = unwire(edge)
            if error is None:
                self.graph.discard(edge)
            answers.append(UnwireOutcome(edge=edge, error=error))
        report, self.managed = settle(changes, outcome, answers)
        return report


def test_sc_2_1_nothing_desired_gives_an_empty_complete_report() -> None:
    report = World().reconcile([])

    assert report == EdgeReport()
    assert report.complete


def test_sc_2_2_a_new_edge_is_wired_and_managed() -> None:
    world = World()

    report = world.reconcile([AB])

    assert report.wired_edges == (AB,)
    assert world.managed == {AB}


def test_sc_2_3_a_managed_edge_that_is_there_is_retained_without_a_call() -> None:
    world = World(graph={AB}, managed=frozenset({AB}))

    report = world.reconcile([AB])

    assert report.retained_edges == (AB,)
    assert (world.batches, world.unwires) == ([], [])


def test_sc_2_4_a_lost_managed_edge_is_healed_in_one_batch() -> None:
    world = World(managed=frozenset({AB}))

    report = world.reconcile([AB])

    assert world.batches == [(AB,)]
    assert report.wired_edges == (AB,)


def test_sc_2_4_a_failed_heal_stays_managed() -> None:
    world = World(managed=frozenset({AB}))

    report = world.reconcile([AB], batch=lambda _: WireOutcome(error="net"))

    assert report.failures == (EdgeFailure(edge=AB, operation="wire (heal)", error="net"),)
    assert world.managed == {AB}


def test_sc_2_5_an_edge_of_somebody_else_is_neither_claimed_nor_unwired() -> None:
    world = World(graph={AB})

    first = world.reconcile([AB])
    second = world.reconcile([])

    assert first.preexisting_edges == (AB,)
    assert second == EdgeReport()
    assert (world.graph, world.batches, world.unwires) == ({AB}, [], [])


def test_sc_2_6_a_managed_edge_no_longer_desired_is_unwired() -> None:
    world = World(graph={AB}, managed=frozenset({AB}))

    report = world.reconcile([])

    assert report.unwired_edges == (AB,)
    assert (world.graph, world.managed) == (set(), frozenset())


def test_sc_2_7_an_edge_of_a_retired_member_is_pruned_without_a_call() -> None:
    world = World(roster={"a", "c"}, graph={AB}, managed=frozenset({AB}))

    report = world.reconcile([])

    assert report.pruned_stale_managed_edges == (AB,)
    assert (world.unwires, world.managed) == ([], frozenset())


def test_sc_2_8_a_managed_edge_that_is_gone_is_pruned_without_a_call() -> None:
    world = World(managed=frozenset({AB}))

    report = world.reconcile([])

    assert report.pruned_stale_managed_edges == (AB,)
    assert (world.unwires, world.managed) == ([], frozenset())


def test_sc_2_9_an_edge_to_an_absent_member_is_skipped_and_the_report_incomplete() -> None:
    report = World().reconcile([AX])

    assert report.skipped_missing_members == (AX,)
    assert not report.complete
    assert (len(report.failures), len(report.skipped_missing_members)) == (0, 1)


def test_sc_2_9_a_skipped_edge_keeps_its_managed_membership() -> None:
    world = World(managed=frozenset({AX}))

    world.reconcile([AX])

    assert world.managed == {AX}


def test_sc_2_10_a_skipped_edge_does_not_make_a_full_reconcile_a_failure() -> None:
    report = ReconcileReport(edges=World().reconcile([AX]))

    assert report.edges.skipped_missing_members == (AX,)
    assert report.ok


def test_sc_2_11_an_edge_the_batch_did_not_name_is_a_failure() -> None:
    world = World()

    report = world.reconcile([AB, AC], batch=lambda _: WireOutcome(wired=(AB,)))

    assert report.wired_edges == (AB,)
    assert report.failures == (EdgeFailure(edge=AC, operation="wire", error=OMITTED_WIRE),)
    assert world.managed == {AB}


def test_sc_2_12_a_failed_batch_fails_every_edge_with_its_text() -> None:
    world = World()

    report = world.reconcile([AC, AB], batch=lambda _: WireOutcome(wired=(AB,), error="net"))

    assert [(f.edge, f.operation, f.error) for f in report.failures] == [
        (AB, "wire", "net"),
        (AC, "wire", "net"),
    ]
    assert world.managed == frozenset()
    assert (len(report.failures), len(report.skipped_missing_members)) == (2, 0)


def test_sc_2_13_an_edge_found_already_wired_is_claimed() -> None:
    world = World()

    def late(edges: tuple[Edge, ...]) -> WireOutcome:
        world.graph.update(edges)
        return WireOutcome(already_wired=edges)

    first = world.reconcile([AB], batch=late)

    assert (first.retained_edges, first.wired_edges) == ((AB,), ())
    assert world.managed == {AB}

    second = world.reconcile([])

    assert second.unwired_edges == (AB,)


def test_sc_2_14_a_failed_unwire_stays_managed_and_is_tried_again() -> None:
    world = World(graph={AB}, managed=frozenset({AB}))

    first = world.reconcile([], unwire=lambda _: "busy")

    assert first.failures == (EdgeFailure(edge=AB, operation="unwire", error="busy"),)
    assert world.managed == {AB}

    second = world.reconcile([])

    assert second.unwired_edges == (AB,)
    assert world.managed == frozenset()


def test_sc_2_15_duplicates_and_reversed_pairs_wire_once() -> None:
    world = World()

    report = world.reconcile([Edge.of("b", "a"), Edge.of("a", "b"), Edge.of("a", "b")])

    assert [(edge.a, edge.b) for edge in report.desired_edges] == [("a", "b")] * 3
    assert world.batches == [(AB,)]
    assert report.wired_edges == (AB,)


def test_edges_neither_managed_nor_desired_are_never_touched() -> None:
    world = World(graph={BC})

    world.reconcile([AB])

    assert BC in world.graph
    assert world.managed == {AB}


def test_wired_edges_are_in_the_order_of_the_answer() -> None:
    report = World().reconcile([AB, AC, BC], batch=lambda _: WireOutcome(wired=(BC, AB, AC)))

    assert report.wired_edges == (BC, AB, AC)


def test_already_wired_edges_follow_the_retained_ones() -> None:
    world = World(graph={BC}, managed=frozenset({BC}))

    report = world.reconcile([AB, AC, BC], batch=lambda _: WireOutcome(already_wired=(AC, AB)))

    assert report.retained_edges == (BC, AC, AB)


def test_an_edge_named_in_both_lists_counts_as_wired_and_once() -> None:
    report = World().reconcile(
        [AB], batch=lambda _: WireOutcome(wired=(AB, AB), already_wired=(AB,))
    )

    assert (report.wired_edges, report.retained_edges) == ((AB,), ())


def test_an_edge_nobody_asked_for_is_not_claimed() -> None:
    world = World()

    report = world.reconcile([AB], batch=lambda _: WireOutcome(wired=(AB, BC)))

    assert report.wired_edges == (AB,)
    assert world.managed == {AB}


def test_unwire_answers_count_once_and_a_missing_one_is_a_failure() -> None:
    managed = {AB, AC}
    changes = classify([], managed, managed, {"a", "b", "c"})
    answers = [
        UnwireOutcome(edge=BC),
        UnwireOutcome(edge=AC),
        UnwireOutcome(edge=AC, error="late"),
    ]

    report, kept = settle(changes, None, answers)

    assert report.unwired_edges == (AC,)
    assert report.failures == (EdgeFailure(edge=AB, operation="unwire", error=OMITTED_UNWIRE),)
    assert kept == {AB}


def test_wire_failures_come_before_unwire_failures() -> None:
    world = World(graph={AB}, managed=frozenset({AB}))

    report = world.reconcile(
        [BC], batch=lambda _: WireOutcome(error="net"), unwire=lambda _: "busy"
    )

    assert [failure.operation for failure in report.failures] == ["wire", "unwire"]


def test_quiet_changes_need_no_call() -> None:
    active = {"a", "b", "c"}

    assert classify([AB], [AB], {AB}, active).quiet
    assert classify([], [], {AB}, active).quiet
    assert not classify([AB], [], set(), active).quiet
    assert not classify([], [AB], {AB}, active).quiet


# Laws

NAMES = "abcde"
EDGES = [Edge.of(x, y) for x in NAMES for y in NAMES if x < y]
some_edges = st.frozensets(st.sampled_from(EDGES))
desires = st.lists(st.sampled_from(EDGES))
rosters = st.frozensets(st.sampled_from(NAMES))


@st.composite
def cycles(draw: st.DrawFn) -> tuple[EdgeChanges, WireOutcome | None, list[UnwireOutcome]]:
    """A decision and answers that name only requested edges, some failing, some missing."""
    changes = classify(draw(desires), draw(some_edges), draw(some_edges), draw(rosters))
    batch = draw(st.permutations(changes.batch))
    first, second = sorted(draw(st.tuples(*[st.integers(0, len(batch))] * 2)))
    outcome = WireOutcome(
        wired=tuple(batch[:first]),
        already_wired=tuple(batch[first:second]),
        error=draw(st.sampled_from([None, None, "net"])),
    )
    answered = draw(st.permutations(changes.unwire))
    answered = answered[: draw(st.integers(0, len(answered)))]
    answers = [
        UnwireOutcome(edge=edge, error=draw(st.sampled_from([None, "busy"]))) for edge in answered
    ]
    return changes, draw(st.sampled_from([outcome, None])), answers


def failed(report: EdgeReport, *operations: str) -> list[Edge]:
    return [failure.edge for failure in report.failures if failure.operation in operations]


@given(cycles())
def test_inv_2_1_every_desired_edge_lands_in_exactly_one_place(
    cycle: tuple[EdgeChanges, WireOutcome | None, list[UnwireOutcome]],
) -> None:
    report, _ = settle(*cycle)

    landed = [
        *report.skipped_missing_members,
        *report.retained_edges,
        *report.preexisting_edges,
        *report.wired_edges,
        *failed(report, "wire", "wire (heal)"),
    ]

    assert sorted(landed) == sorted(set(report.desired_edges))


@given(cycles())
def test_inv_2_2_every_managed_undesired_edge_lands_in_exactly_one_place(
    cycle: tuple[EdgeChanges, WireOutcome | None, list[UnwireOutcome]],
) -> None:
    changes = cycle[0]
    report, _ = settle(*cycle)

    landed = [
        *report.pruned_stale_managed_edges,
        *report.unwired_edges,
        *failed(report, "unwire"),
    ]

    assert sorted(landed) == sorted(changes.managed - set(changes.desired))


@given(cycles())
def test_inv_2_3_the_managed_set_changes_by_what_the_report_says(
    cycle: tuple[EdgeChanges, WireOutcome | None, list[UnwireOutcome]],
) -> None:
    changes = cycle[0]
    report, managed = settle(*cycle)
    already = set(report.retained_edges) - set(changes.retained)

    gained = changes.managed | set(report.wired_edges) | already
    lost = set(report.pruned_stale_managed_edges) | set(report.unwired_edges)

    assert managed == gained - lost
    assert managed - changes.managed <= set(changes.desired)


@given(desires, desires, some_edges, some_edges, rosters)
def test_inv_2_4_preexisting_edges_are_not_unwired_later(
    first: list[Edge],
    second: list[Edge],
    graph: frozenset[Edge],
    managed: frozenset[Edge],
    roster: frozenset[str],
) -> None:
    world = World(roster=set(roster), graph=set(graph), managed=managed)

    preexisting = world.reconcile(first).preexisting_edges
    world.reconcile(second)

    assert not set(preexisting) & set(world.unwires)


@given(cycles())
def test_inv_2_7_edges_of_a_report_are_ordered_trimmed_and_join_two(
    cycle: tuple[EdgeChanges, WireOutcome | None, list[UnwireOutcome]],
) -> None:
    report, _ = settle(*cycle)
    edges = [
        *report.desired_edges,
        *report.wired_edges,
        *report.retained_edges,
        *report.preexisting_edges,
        *report.unwired_edges,
        *report.pruned_stale_managed_edges,
        *report.skipped_missing_members,
        *failed(report, "wire", "wire (heal)", "unwire"),
    ]

    assert all(edge.a < edge.b for edge in edges)
    assert all(edge == Edge.of(edge.b, edge.a) for edge in edges)


@given(st.data(), desires, some_edges, some_edges, rosters)
def test_inv_2_11_order_and_repetition_change_only_the_desired_edges(
    data: st.DataObject,
    desired: list[Edge],
    graph: frozenset[Edge],
    managed: frozenset[Edge],
    roster: frozenset[str],
) -> None:
    repeated = data.draw(st.lists(st.sampled_from(desired), max_size=5)) if desired else []
    shuffled = data.draw(st.permutations(desired + repeated))
    one = World(roster=set(roster), graph=set(graph), managed=managed)
    other = World(roster=set(roster), graph=set(graph), managed=managed)

    first, second = one.reconcile(desired), other.reconcile(shuffled)

    assert second.desired_edges == tuple(shuffled)
    assert first.model_copy(update={"desired_edges": ()}) == second.model_copy(
        update={"desired_edges": ()}
    )
    assert one.managed == other.managed


@given(desires, some_edges, some_edges)
def test_a_second_cycle_makes_no_call_and_the_graph_covers_what_is_desired(
    desired: list[Edge], graph: frozenset[Edge], managed: frozenset[Edge]
) -> None:
    world = World(roster=set(NAMES), graph=set(graph), managed=managed)
    first = world.reconcile(desired)
    calls = len(world.batches) + len(world.unwires)

    world.reconcile(desired)

    assert len(world.batches) + len(world.unwires) == calls
    assert set(desired) <= world.graph & (world.managed | set(first.preexisting_edges))


@pytest.mark.parametrize("count", [0, 1, 200])
def test_managed_live_edges_are_all_unwired_when_nothing_is_desired(count: int) -> None:
    edges = {Edge.of("hub", f"m-{number}") for number in range(count)}
    roster = {"hub", *(f"m-{number}" for number in range(count))}
    world = World(roster=roster, graph=set(edges), managed=frozenset(edges))

    report = world.reconcile([])

    assert set(report.unwired_edges) == edges
    assert world.managed == frozenset()
