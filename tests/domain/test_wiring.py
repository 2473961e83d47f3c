"""Edges in their one form, what a definition asks for, and who may speak."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from actors.domain.definition import MemberSpec, MobDefinition, Profile, Wiring
from actors.domain.errors import WiringError
from actors.domain.wiring import Edge, desired_edges, ordered_pair
from transport.message import FrozenMap

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=5).filter(
    lambda text: bool(text.strip())
)


def mob(
    *members: tuple[str, str], wiring: Wiring | None = None, edges: tuple[Edge, ...] = ()
) -> MobDefinition:
    return MobDefinition(
        id="m",
        profiles=FrozenMap({name: Profile(name=name, call="m:f") for name in ("lead", "w", "x")}),
        members=tuple(MemberSpec(name=name, profile=profile) for name, profile in members),
        wiring=wiring or Wiring(),
        edges=edges,
    )


@given(NAMES, NAMES)
def test_edge_is_ordered_trimmed_and_the_same_both_ways(x: str, y: str) -> None:
    if x.strip() == y.strip():
        with pytest.raises(WiringError):
            Edge.of(x, y)
        return

    edge = Edge.of(x, y)

    assert edge.a < edge.b
    assert {edge.a, edge.b} == {x.strip(), y.strip()}
    assert edge == Edge.of(y, x) == Edge(a=y, b=x)
    assert Edge.model_validate_json(edge.model_dump_json()) == edge


@pytest.mark.parametrize(
    ("x", "y", "text"),
    [
        ("", "b", "edge endpoint must not be empty"),
        ("a", " ", "edge endpoint must not be empty"),
        ("a", " a ", "self-edges are not allowed"),
    ],
)
def test_edge_to_nobody_or_oneself_is_refused(x: str, y: str, text: str) -> None:
    with pytest.raises(WiringError) as caught:
        Edge.of(x, y)
    with pytest.raises(ValidationError, match=text):
        Edge(a=x, b=y)

    assert str(caught.value) == text


def test_decoded_edge_is_brought_into_order() -> None:
    assert Edge.model_validate_json('{"a": " z ", "b": "c"}') == Edge(a="c", b="z")


@pytest.mark.parametrize(
    "raw", ['{"a": "x"}', '{"a": "x", "b": 1}', '{"a":"x","b":"y","c":1}', "[]"]
)
def test_decoding_something_else_is_a_validation_error(raw: str) -> None:
    with pytest.raises(ValidationError):
        Edge.model_validate_json(raw)


@given(st.lists(st.tuples(NAMES, NAMES).filter(lambda p: p[0].strip() != p[1].strip())))
def test_edges_sort_by_their_pairs(pairs: list[tuple[str, str]]) -> None:
    edges = [Edge.of(x, y) for x, y in pairs]

    assert [edge.pair for edge in sorted(edges)] == sorted(ordered_pair(x, y) for x, y in pairs)


def test_edge_reads_well_and_knows_the_other_end() -> None:
    edge = Edge.of("w", "lead")

    assert str(edge) == "lead -- w"
    assert (edge.other("w"), edge.other("lead")) == ("lead", "w")


def test_orchestrator_is_wired_to_every_other_role_but_not_to_its_own() -> None:
    wiring = Wiring(orchestrator="lead", auto_wire_orchestrator=True)
    members = {"l1": "lead", "l2": "lead", "w1": "w", "x1": "x"}

    assert desired_edges(mob(wiring=wiring), members) == {
        Edge.of("l1", "w1"),
        Edge.of("l2", "w1"),
        Edge.of("l1", "x1"),
        Edge.of("l2", "x1"),
    }


def test_naming_an_orchestrator_alone_wires_nothing() -> None:
    definition = mob(wiring=Wiring(orchestrator="lead"))

    assert desired_edges(definition, {"l1": "lead", "w1": "w"}) == frozenset()


@pytest.mark.parametrize("pair", [("w", "x"), ("x", "w")])
def test_role_pair_matches_either_way_round(pair: tuple[str, str]) -> None:
    definition = mob(wiring=Wiring(role_wiring=(pair,)))

    assert desired_edges(definition, {"w1": "w", "x1": "x", "l1": "lead"}) == {Edge.of("w1", "x1")}


def test_role_paired_with_itself_joins_all_its_members() -> None:
    definition = mob(wiring=Wiring(role_wiring=(("w", "w"),)))

    assert desired_edges(definition, {"c": "w", "a": "w", "b": "w"}) == {
        Edge.of("a", "b"),
        Edge.of("a", "c"),
        Edge.of("b", "c"),
    }


def test_role_without_members_asks_for_no_edge() -> None:
    wiring = Wiring(
        orchestrator="lead", auto_wire_orchestrator=True, role_wiring=(("x", "x"), ("x", "w"))
    )

    assert desired_edges(mob(wiring=wiring), {"w1": "w"}) == frozenset()


def test_union_of_the_rules_has_no_repetition() -> None:
    definition = mob(
        ("l1", "lead"),
        ("w1", "w"),
        wiring=Wiring(
            orchestrator="lead",
            auto_wire_orchestrator=True,
            role_wiring=(("lead", "w"), ("w", "lead")),
        ),
        edges=(Edge.of("w1", "l1"), Edge.of("l1", "w1")),
    )

    assert desired_edges(definition, {"l1": "lead", "w1": "w"}) == {Edge.of("l1", "w1")}


def test_explicit_edge_is_desired_also_without_its_members() -> None:
    definition = mob(("a", "w"), ("b", "w"), edges=(Edge.of("a", "b"),))

    assert desired_edges(definition, {}) == {Edge.of("a", "b")}


def test_5_26_level_based_worker_spawned_before_the_lead_is_wired_too() -> None:
    definition = mob(wiring=Wiring(orchestrator="lead", auto_wire_orchestrator=True))
    members = {"w1": "w", "l1": "lead", "w2": "w"}

    for order in permutations(members.items()):
        assert desired_edges(definition, dict(order)) == {Edge.of("l1", "w1"), Edge.of("l1", "w2")}
