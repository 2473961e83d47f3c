"""The graph of a mob: complete and aligned text, and no identity that breaks out of its place."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.graph import MobGraph
from actors.domain.tables import WIDTH, columns_of
from actors.domain.wiring import Edge

PANEL = MobGraph(
    members=(("risk-1", "risk"), ("lead", "orchestrator"), ("docs-1", "docs")),
    edges=(Edge.of("risk-1", "lead"), Edge.of("docs-1", "lead")),
)


def test_text_shows_the_peers_of_each_member_aligned() -> None:
    assert PANEL.text() == (
        "docs-1  (docs)          lead\n"
        "lead    (orchestrator)  docs-1, risk-1\n"
        "risk-1  (risk)          lead"
    )
    assert str(PANEL) == repr(PANEL) == PANEL.text()


def test_a_member_without_peers_and_a_mob_without_members_are_shown() -> None:
    assert MobGraph(members=(("a", "p"),)).text() == "a  (p)  -"
    assert MobGraph().text() == "(no members)"


def test_an_endpoint_that_is_no_member_is_shown_as_such() -> None:
    graph = MobGraph(members=(("a", "p"),), edges=(Edge.of("a", "x"),))

    assert graph.text() == "a  (p)             x\nx  (not a member)  a"
    assert "not a member" in graph.mermaid()
    assert "not a member" in graph._repr_html_()


def test_many_peers_are_wrapped_and_all_there() -> None:
    names = [f"worker-{number:03}" for number in range(100)]
    graph = MobGraph(
        members=(("hub", "lead"), *((name, "worker") for name in names)),
        edges=tuple(Edge.of("hub", name) for name in names),
    )

    first, *rest = graph.text().split("\nworker-000 ")[0].split("\n")

    assert first.startswith("hub         (lead)    worker-000, ")
    assert all(line.startswith(" " * 22 + "worker-") for line in rest)
    assert ", ".join(names) == " ".join([first[22:], *(line.strip() for line in rest)])
    assert all(columns_of(line) <= WIDTH for line in graph.text().split("\n"))


def test_a_shell_sees_a_big_graph_cut_and_counted() -> None:
    graph = MobGraph(members=tuple((f"m{number}", "p") for number in range(1000)))

    assert repr(graph).split("\n")[-1] == "… 900 more"
    assert len(str(graph).split("\n")) == 1000
    assert graph.text(limit=0) == "… 1000 more"
    assert "… 900 more" in graph._repr_html_()


def test_mermaid_has_a_node_for_each_member_and_a_line_for_each_edge() -> None:
    assert PANEL.mermaid() == (
        "graph LR\n"
        '  n0["docs-1 (docs)"]\n'
        '  n1["lead (orchestrator)"]\n'
        '  n2["risk-1 (risk)"]\n'
        "  n0 --- n1\n"
        "  n1 --- n2"
    )


def test_mermaid_draws_a_repeated_edge_once() -> None:
    edge = Edge.of("a", "b")

    assert MobGraph(edges=(edge, edge)).mermaid().count("---") == 1


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ('say "hi"', "say #34;hi#34;"),
        ("a]b[c", "a#93;b#91;c"),
        ("one\ntwo", "one#92;ntwo"),
        ("<script>", "#60;script#62;"),
        ("#quot;", "#35;quot#59;"),
        ("`md`", "#96;md#96;"),
        ("1. x", "1#46; x"),
        ("- x", "#45; x"),
        ("end", "end"),
        ("style:x", "style#58;x"),
        ("größe_1-a", "größe_1-a"),
    ],
)
def test_hostile_names_are_codes_in_mermaid(name: str, label: str) -> None:
    assert f'n0["{label} (p)"]' in MobGraph(members=((name, "p"),)).mermaid()


hostile = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from("\"'[](){}<>&;#`|-:\n\r\x1b\u202e%")),
    min_size=1,
    max_size=60,
).filter(lambda text: bool(text.strip()))


@st.composite
def graphs(draw: st.DrawFn) -> MobGraph:
    names = draw(st.lists(hostile.map(str.strip), min_size=2, max_size=6, unique=True))
    members = tuple((name, draw(hostile)) for name in names)
    pairs = st.tuples(st.sampled_from(names), st.sampled_from(names))
    chosen = draw(st.lists(pairs.filter(lambda pair: pair[0] != pair[1]), max_size=6))
    return MobGraph(members=members, edges=tuple(Edge.of(x, y) for x, y in chosen))


@given(graphs())
def test_mermaid_is_our_nodes_and_lines_and_nothing_else(graph: MobGraph) -> None:
    head, *lines = graph.mermaid().split("\n")

    assert head == "graph LR"
    assert len(lines) == len(graph.members) + len(set(graph.edges))
    for line in lines:
        assert re.fullmatch(r'  n\d+\["(?:[\w\s()-]|#\d+;)*"\]|  n\d+ --- n\d+', line), line


@given(graphs())
def test_text_stays_in_its_lines_and_columns(graph: MobGraph) -> None:
    lines = graph.text().split("\n")

    assert len(lines) >= len(graph.members)
    assert all(line.isprintable() and columns_of(line) <= WIDTH for line in lines)


@given(graphs())
def test_html_holds_only_our_tags(graph: MobGraph) -> None:
    seen: set[str] = set()

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            seen.add(tag)
            assert attrs == []

    parser = Tags()
    parser.feed(graph._repr_html_())
    parser.close()

    assert seen <= {"table", "thead", "tbody", "tr", "th", "td"}


@given(graphs())
def test_a_graph_travels_as_json(graph: MobGraph) -> None:
    assert MobGraph.model_validate_json(graph.model_dump_json()) == graph
