"""Cyclomatic complexity, the number of the `mccabe` package, in one pass over the tree.

mccabe draws a graph per function and counts edges - nodes + 2. Nothing of the graph is needed:
a plain statement adds one node and one edge, and only these add to the difference:

- `if`, `for`, `while`: 1, whether or not there is an `else`;
- `try`: 1 and 1 per handler;
- a function inside a function: 1, and its body counts into the enclosing one.

What mccabe does not enter is not entered here either: expressions (so no `lambda`, `and`, `or`
or comprehension), a `finally` block, `match` and `except*`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final, NamedTuple

from panel_findings import Mark
from panel_options import Options, whole
from panel_reading import Source

RULES: Final = ("complexity",)


class Unit(NamedTuple):
    """A measured function, named with its class path as mccabe does (`Class.method`).

    A loop, `if` or `try` outside every function is a unit too (`If 12`, `Loop 3`,
    `TryExcept 7`); functions defined in it count into it.
    """

    entity: str
    line: int
    value: int


_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
_WITH = (ast.With, ast.AsyncWith)
_LOOP = (ast.For, ast.AsyncFor, ast.While)


def measure(tree: ast.Module) -> tuple[Unit, ...]:
    """Every unit of the module; of units with the same name the last one counts.

    No recursion: a chain of `elif`s is a tree as deep as the chain is long.
    """
    found: dict[str, Unit] = {}
    open_nodes: list[tuple[ast.stmt, str]] = [(node, "") for node in reversed(tree.body)]
    while open_nodes:
        node, path = open_nodes.pop()
        if isinstance(node, _FUNCTION):
            entity = path + node.name
            found[entity] = Unit(entity, node.lineno, 1 + _branches(node.body))
        elif isinstance(node, ast.ClassDef):
            path += node.name + "."
            open_nodes.extend((child, path) for child in reversed(node.body))
        elif isinstance(node, _WITH):
            open_nodes.extend((child, path) for child in reversed(node.body))
        elif title := _title(node):
            # mccabe files it under the class path but names it without
            found[path + title] = Unit(title, node.lineno, 1 + _branches([node]))
    return tuple(found.values())


def find_complexity(source: Source, options: Options) -> Iterator[Mark]:
    """A mark per unit above `max_complexity`."""
    limit = whole(options, "max_complexity")
    for unit in measure(source.tree):
        if unit.value > limit:
            yield Mark(unit.line, unit.entity, "complexity", unit.value)


def _title(node: ast.stmt) -> str | None:
    if isinstance(node, ast.If):
        return f"If {node.lineno}"
    if isinstance(node, _LOOP):
        return f"Loop {node.lineno}"
    if isinstance(node, ast.Try):
        return f"TryExcept {node.lineno}"
    return None


def _branches(body: list[ast.stmt]) -> int:
    total = 0
    open_nodes = list(body)
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, _FUNCTION):
            total += 1
            open_nodes.extend(node.body)
        elif isinstance(node, (ast.ClassDef, *_WITH)):
            open_nodes.extend(node.body)
        elif isinstance(node, (ast.If, *_LOOP)):
            total += 1
            open_nodes.extend(node.body)
            open_nodes.extend(node.orelse)
        elif isinstance(node, ast.Try):
            total += 1 + len(node.handlers)
            open_nodes.extend(node.body)
            for handler in node.handlers:
                open_nodes.extend(handler.body)
            open_nodes.extend(node.orelse)
    return total
