"""`panel_complexity` gives the numbers of the mccabe package."""

from __future__ import annotations

import ast
import sysconfig
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mccabe import PathGraphingAstVisitor

from panel_complexity import Unit, find_complexity, measure
from panel_reading import Source, parse


def of_mccabe(tree: ast.Module) -> list[Unit]:
    visitor = PathGraphingAstVisitor()
    visitor.preorder(tree, visitor)
    return [Unit(g.entity, g.lineno, g.complexity()) for g in visitor.graphs.values()]


def tree_of(text: str) -> ast.Module:
    return ast.parse(textwrap.dedent(text))


def test_every_function_of_the_standard_library_has_the_number_of_mccabe() -> None:
    library = Path(sysconfig.get_paths()["stdlib"])
    compared = 0
    for file in sorted(library.rglob("*.py")):
        if "site-packages" in file.parts:
            continue
        source = parse(file.read_bytes(), file.name)
        if isinstance(source, Source):  # lib2to3 and the test suite hold files no parser takes
            ours = measure(source.tree)
            assert list(ours) == of_mccabe(source.tree), file
            compared += len(ours)
    assert compared > 10_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(): pass", [Unit("f", 1, 1)]),
        ("async def f(): pass", [Unit("f", 1, 1)]),
        ("class A:\n class B:\n  def f(self): pass", [Unit("A.B.f", 3, 1)]),
        ("def f():\n def g():\n  if a: pass\n return g", [Unit("f", 1, 3)]),
        ("def f():\n if a: pass\ndef f(): pass", [Unit("f", 3, 1)]),
        ("if a:\n def f():\n  if b: pass", [Unit("If 1", 1, 4)]),
        ("class A:\n for x in y:\n  pass", [Unit("Loop 2", 2, 2)]),
        ("with a:\n def f(): pass", [Unit("f", 2, 1)]),
        ("try:\n pass\nfinally:\n def f(): pass", [Unit("TryExcept 1", 1, 2)]),
        ("match a:\n case 1:\n  def f(): pass", []),
        ("def f():\n return [x for x in y if x and z or w]", [Unit("f", 1, 1)]),
    ],
)
def test_units_are_named_and_counted_as_mccabe_does(text: str, expected: list[Unit]) -> None:
    tree = ast.parse(text)
    assert list(measure(tree)) == expected == of_mccabe(tree)


def statements(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def block(texts: list[str]) -> str:
        return textwrap.indent("\n".join(texts), " ")

    body = st.lists(inner, min_size=1, max_size=3).map(block)
    shapes = (
        "if a:\n{0}",
        "if a:\n{0}\nelse:\n{1}",
        "while a:\n{0}\nelse:\n{1}",
        "for a in b:\n{0}",
        "with a:\n{0}",
        "try:\n{0}\nexcept A:\n{1}\nexcept B:\n{1}\nelse:\n{0}\nfinally:\n{1}",
        "try:\n{0}\nexcept* A:\n{1}",
        "try:\n{0}\nfinally:\n{1}",
        "def f():\n{0}\ndef g():\n{1}",
        "class C:\n{0}",
        "match a:\n case 1:\n{2}",
    )
    return st.builds(
        lambda shape, one, two: shape.format(one, two, textwrap.indent(one, " ")),
        st.sampled_from(shapes),
        body,
        body,
    )


@given(st.lists(st.recursive(st.just("x = 1"), statements, max_leaves=12), max_size=4))
def test_any_nesting_of_statements_has_the_number_of_mccabe(texts: list[str]) -> None:
    tree = ast.parse("\n".join(texts))
    assert list(measure(tree)) == of_mccabe(tree)


def test_only_units_above_the_limit_are_reported() -> None:
    text = "def f(x):\n" + "".join(f"    if x == {n}: pass\n" for n in range(10))
    source = Source("a.py", text, ast.parse(text))
    assert [mark.value for mark in find_complexity(source, {"max_complexity": 10})] == [11]
    assert list(find_complexity(source, {"max_complexity": 11})) == []


def test_a_chain_of_branches_deeper_than_the_stack_is_measured() -> None:
    body: list[ast.stmt] = [ast.Pass(lineno=1, col_offset=0)]
    for _ in range(50_000):
        test = ast.Constant(value=True, lineno=1, col_offset=0)
        body = [ast.If(test=test, body=body, orelse=[], lineno=1, col_offset=0)]
    assert [unit.value for unit in measure(ast.Module(body=body, type_ignores=[]))] == [50_001]
