"""Rules about what a reader of the code meets: docstrings, notes to self, line length."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from panel_findings import MODULE, Mark
from panel_options import Options, whole, words
from panel_reading import Source

RULES: Final = ("undocumented", "todo-comment", "long-line")

_BLOCK = (ast.If, ast.Try, ast.With, ast.For, ast.While)


def find_docs(source: Source, options: Options) -> Iterator[Mark]:
    """Every mark of `RULES`; comments and lines are judged where the mob file sets a measure."""
    yield from undocumented(source)
    if "markers" in options:
        yield from noted_comments(source.text, words(options, "markers"))
    if "max_line" in options:
        limit = whole(options, "max_line")
        for number, line in enumerate(source.text.split("\n"), start=1):
            if len(line) > limit:
                yield Mark(number, MODULE, "long-line", len(line))


def undocumented(source: Source) -> Iterator[Mark]:
    """Public modules, classes, functions and methods without a docstring.

    A name is public when no part of it begins with an underscore. An empty module needs no
    docstring, nor does what only restates another definition (an overload, a setter).
    """
    tree = source.tree
    module = PurePosixPath(source.path).stem
    if tree.body and (module == "__init__" or not module.startswith("_")) and not _has_doc(tree):
        yield Mark(1, MODULE, "undocumented", "module")
    open_nodes: list[tuple[ast.stmt, str]] = [(node, "") for node in tree.body]
    while open_nodes:
        node, path = open_nodes.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if not node.name.startswith("_") and not _restates(node) and not _has_doc(node):
                kind = "method" if path else "function"
                yield Mark(node.lineno, path + node.name, "undocumented", kind)
        elif isinstance(node, ast.ClassDef):
            if not node.name.startswith("_"):
                if not _has_doc(node):
                    yield Mark(node.lineno, path + node.name, "undocumented", "class")
                open_nodes.extend((child, f"{path}{node.name}.") for child in node.body)
        elif isinstance(node, _BLOCK):
            open_nodes.extend((child, path) for child in _statements(node))


def noted_comments(text: str, markers: tuple[str, ...]) -> Iterator[Mark]:
    """Comments that hold one of the markers as a word; the mark's name is the marker."""
    if not any(marker in text for marker in markers):
        return  # tokenizing costs more than all other rules together
    sought = re.compile(rf"\b({'|'.join(map(re.escape, markers))})\b[:\s]*(.*)")
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT and (match := sought.search(token.string)):
                yield Mark(token.start[0], match[1], "todo-comment", match[2].strip())
    except (tokenize.TokenError, SyntaxError):
        return  # the parser accepts a little more than the tokenizer; the comments so far count


def _has_doc(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return ast.get_docstring(node, clean=False) is not None


def _restates(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Name) and decorator.id == "overload":
            return True
        if isinstance(decorator, ast.Attribute) and decorator.attr in (
            "overload",
            "setter",
            "deleter",
        ):
            return True
    return False


def _statements(node: ast.stmt) -> Iterator[ast.stmt]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        elif isinstance(child, ast.ExceptHandler):
            yield from child.body
