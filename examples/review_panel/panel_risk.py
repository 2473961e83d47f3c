"""Rules about code that hides errors or grows hard to change."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

from panel_findings import MODULE, Mark
from panel_options import Options, whole
from panel_reading import Source

RULES: Final = (
    "bare-except",
    "swallowed-exception",
    "mutable-default",
    "eval-call",
    "assert-on-tuple",
    "none-comparison",
    "long-function",
    "many-arguments",
)

_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
_MUTABLE_LITERAL = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
_MUTABLE_CALL: Final = frozenset(
    {"list", "dict", "set", "bytearray", "defaultdict", "OrderedDict", "Counter", "deque"}
)


class _Limits(NamedTuple):
    lines: int | None
    arguments: int | None


def find_risks(source: Source, options: Options) -> Iterator[Mark]:
    """Every mark of `RULES`; a function's limits apply where the mob file sets them."""
    limits = _Limits(
        whole(options, "max_function_lines") if "max_function_lines" in options else None,
        whole(options, "max_arguments") if "max_arguments" in options else None,
    )
    open_nodes: list[tuple[ast.AST, str]] = [(source.tree, "")]
    while open_nodes:
        node, scope = open_nodes.pop()
        name = scope or MODULE
        if isinstance(node, ast.ExceptHandler):
            yield from _of_handler(node, name)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            scope = f"{scope}.{node.name}" if scope else node.name
            yield from _of_function(node, scope, limits)
            yield from _of_defaults(node.args, scope)
        elif isinstance(node, ast.ClassDef):
            scope = f"{scope}.{node.name}" if scope else node.name
        elif isinstance(node, ast.Lambda):
            yield from _of_defaults(node.args, name)
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
                yield Mark(node.lineno, name, "eval-call", node.func.id)
        elif isinstance(node, ast.Assert):
            if isinstance(node.test, ast.Tuple) and node.test.elts:
                yield Mark(node.lineno, name, "assert-on-tuple", "always true")
        elif isinstance(node, ast.Compare):
            yield from _of_comparison(node, name)
        open_nodes.extend((child, scope) for child in ast.iter_child_nodes(node))


def _of_handler(node: ast.ExceptHandler, name: str) -> Iterator[Mark]:
    if node.type is None:
        yield Mark(node.lineno, name, "bare-except", "except:")
    if all(_does_nothing(child) for child in node.body):
        yield Mark(node.lineno, name, "swallowed-exception", _caught(node.type))


def _does_nothing(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def _caught(kind: ast.expr | None) -> str:
    if kind is None:
        return "everything"
    if isinstance(kind, ast.Tuple):
        return ", ".join(_dotted(item) for item in kind.elts)
    return _dotted(kind)


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    parts.append(node.id if isinstance(node, ast.Name) else "(...)")
    return ".".join(reversed(parts))


def _of_function(node: _Function, name: str, limits: _Limits) -> Iterator[Mark]:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    if limits.lines is not None and lines > limits.lines:
        yield Mark(node.lineno, name, "long-function", lines)
    names = [item.arg for item in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    arguments = len(names) - (names[:1] in (["self"], ["cls"]))
    if limits.arguments is not None and arguments > limits.arguments:
        yield Mark(node.lineno, name, "many-arguments", arguments)


def _of_defaults(arguments: ast.arguments, name: str) -> Iterator[Mark]:
    positional = (*arguments.posonlyargs, *arguments.args)
    # defaults belong to the last positional ones; a keyword without one has None
    pairs = [
        *zip(reversed(positional), reversed(arguments.defaults), strict=False),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    for argument, default in pairs:
        if default is not None and _is_mutable(default):
            yield Mark(default.lineno, name, "mutable-default", argument.arg)


def _is_mutable(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return _dotted(node.func).rpartition(".")[2] in _MUTABLE_CALL
    return isinstance(node, _MUTABLE_LITERAL)


def _of_comparison(node: ast.Compare, name: str) -> Iterator[Mark]:
    left = node.left
    for operator, right in zip(node.ops, node.comparators, strict=True):
        if isinstance(operator, ast.Eq | ast.NotEq) and (_is_none(left) or _is_none(right)):
            sign = "==" if isinstance(operator, ast.Eq) else "!="
            yield Mark(node.lineno, name, "none-comparison", f"{sign} None")
        left = right


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
