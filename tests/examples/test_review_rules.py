"""The rules of the review panel over small texts, and the reading of files."""

from __future__ import annotations

import ast
import os
import warnings
from pathlib import Path
from typing import Any

import pytest

from panel_docs import find_docs, noted_comments, undocumented
from panel_files import NothingThereError, batches, find_files, share
from panel_findings import MODULE, Finding, Mark, ReviewBatch, capped, clean, finding_of, rank_of
from panel_options import OptionError, seconds, whole, words
from panel_reading import NO_STAMP, Source, parse, read
from panel_reviewers import Reviewer
from panel_risk import find_risks

SKIP = ("__pycache__", "node_modules", "build", "*.egg-info")


def source(text: str, path: str = "a.py") -> Source:
    return Source(path, text, ast.parse(text))


def risks(text: str, **options: object) -> list[Mark]:
    return sorted(find_risks(source(text), options))


def problem(raw: bytes) -> Mark:
    outcome = parse(raw, "a.py")
    assert isinstance(outcome, Mark)
    return outcome


# risk


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("try:\n f()\nexcept:\n g()", [Mark(3, MODULE, "bare-except", "except:")]),
        (
            "def f():\n try:\n  g()\n except (OSError, a.Error):\n  pass",
            [Mark(4, "f", "swallowed-exception", "OSError, a.Error")],
        ),
        (
            "try:\n f()\nexcept:\n ...",
            [
                Mark(3, MODULE, "bare-except", "except:"),
                Mark(3, MODULE, "swallowed-exception", "everything"),
            ],
        ),
        ("try:\n f()\nexcept g():\n pass", [Mark(3, MODULE, "swallowed-exception", "(...)")]),
        ("try:\n f()\nexcept OSError:\n g()", []),
        ("def f(a, b=[], c=1): pass", [Mark(1, "f", "mutable-default", "b")]),
        ("def f(*, a, b={}): pass", [Mark(1, "f", "mutable-default", "b")]),
        ("f = lambda a=dict(): a", [Mark(1, MODULE, "mutable-default", "a")]),
        ("def f(a=collections.deque()): pass", [Mark(1, "f", "mutable-default", "a")]),
        ("def f(a=(), b=None, c=frozenset()): pass", []),
        ("class A:\n def m(self):\n  exec(x)", [Mark(3, "A.m", "eval-call", "exec")]),
        ("model.eval()", []),
        ("assert (x, 'text')", [Mark(1, MODULE, "assert-on-tuple", "always true")]),
        ("assert x, 'text'", []),
        ("a == None", [Mark(1, MODULE, "none-comparison", "== None")]),
        ("None != a", [Mark(1, MODULE, "none-comparison", "!= None")]),
        ("a is None or a < b == c", []),
    ],
)
def test_risks_are_found_where_they_are(text: str, expected: list[Mark]) -> None:
    assert risks(text) == expected


def test_functions_over_the_limits_are_risks() -> None:
    text = "class A:\n def m(self, a, b, *, c):\n  x\n  y"
    assert risks(text, max_function_lines=2, max_arguments=2) == [
        Mark(2, "A.m", "long-function", 3),
        Mark(2, "A.m", "many-arguments", 3),
    ]
    assert risks(text, max_function_lines=3, max_arguments=3) == []


# docs


def test_public_names_without_docstring_are_found() -> None:
    text = (
        "def f(): pass\n"
        "def _g(): pass\n"
        "class A:\n"
        "    def m(self): pass\n"
        "    @x.setter\n"
        "    def n(self, v): pass\n"
        "    @overload\n"
        "    def o(self): pass\n"
        "    @typing.overload\n"
        "    def p(self): pass\n"
        "    @cached\n"
        "    @x.y\n"
        "    def q(self):\n"
        "        'doc'\n"
        "try:\n"
        "    import b\n"
        "except ImportError:\n"
        "    class B:\n"
        "        'doc'\n"
        "    async def h(): pass\n"
        "class _C:\n"
        "    def m(self): pass\n"
    )
    found = sorted((mark.line, mark.name, mark.value) for mark in undocumented(source(text)))
    assert found == [
        (1, MODULE, "module"),
        (1, "f", "function"),
        (3, "A", "class"),
        (4, "A.m", "method"),
        (20, "h", "function"),
    ]


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("p/__init__.py", "x = 1", True),
        ("p/__init__.py", "", False),
        ("p/_private.py", "x = 1", False),
        ("p/open.py", "'doc'", False),
    ],
)
def test_a_public_module_needs_a_docstring(path: str, text: str, found: bool) -> None:
    assert bool(list(undocumented(source(text, path)))) is found


def test_notes_to_self_are_found_in_comments_only() -> None:
    text = "x = 'TODO: no'  # TODO: later\ny = 1  # FIXME\nz = 2  # TODOS\n"
    assert list(noted_comments(text, ("TODO", "FIXME"))) == [
        Mark(1, "TODO", "todo-comment", "later"),
        Mark(2, "FIXME", "todo-comment", ""),
    ]
    assert list(noted_comments("x = 1\n", ("TODO",))) == []


def test_comments_before_the_point_where_tokens_end_count() -> None:
    assert list(noted_comments("# TODO a\nx = (", ("TODO",))) == [
        Mark(1, "TODO", "todo-comment", "a")
    ]


def test_long_lines_are_counted_in_characters() -> None:
    text = "'''doc'''\nx = '" + "\u00e9" * 10 + "'\n"
    assert list(find_docs(source(text), {"max_line": 14})) == [Mark(2, MODULE, "long-line", 16)]
    assert list(find_docs(source(text), {"max_line": 16})) == []


# reading


def test_a_declared_encoding_is_honoured() -> None:
    raw = b"# -*- coding: latin-1 -*-\r\nname = '\xe9'\r\n"
    outcome = parse(raw, "a.py")
    assert isinstance(outcome, Source)
    assert outcome.text.splitlines() == ["# -*- coding: latin-1 -*-", "name = '\u00e9'"]


@pytest.mark.parametrize(
    ("raw", "rule", "line"),
    [
        (b"x = '\xff'\n", "encoding", 1),
        (b"\n\n\nx = '\xff'\n", "encoding", 1),
        (b"# coding: no-such\n", "encoding", 1),
        (b"# coding: hex\n", "encoding", 1),
        (b"# coding: unicode_escape\nx = '\\ud800'\n", "syntax", 1),
        (b"x = 1\ndef :\n", "syntax", 2),
        (b"x = '\x00'\n", "syntax", 1),
        (b"(" * 5000, "syntax", 1),
        (b"-" * 200_000 + b"1\n", "too-deep", 1),
    ],
)
def test_what_python_cannot_read_is_a_finding(raw: bytes, rule: str, line: int) -> None:
    assert (problem(raw).rule, problem(raw).line) == (rule, line)


def test_a_long_chain_of_elifs_is_reviewed_or_a_finding(mob_file: dict[str, Any]) -> None:
    for length in (500, 5000, 50_000):
        text = "if a: pass\n" + "elif a: pass\n" * length
        outcome = parse(text.encode(), "a.py")
        if isinstance(outcome, Mark):
            assert outcome.rule == "too-deep"
        else:
            assert len(risks(text)) == 0


def test_odd_literals_in_the_reviewed_code_warn_nobody() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(parse(b"x = '\\d'\ny = 1if x else 2\n", "a.py"), Source)
        assert isinstance(parse(b"x = '\\d'\n", "a.py"), Source)
        with pytest.raises(DeprecationWarning):
            warnings.warn("still an error", DeprecationWarning, stacklevel=1)


def test_a_file_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "dangling.py").symlink_to("nowhere")
    (tmp_path / "large.py").write_text("x = 1\n" * 5000, encoding="utf-8")
    (tmp_path / "folder.py").mkdir()

    def rule_and_value(file: str) -> tuple[str, int | str]:
        found = read(tmp_path, file, max_bytes=20_000).problem
        assert found is not None
        return found.rule, found.value

    assert rule_and_value("pipe.py") == ("unreadable", "Not a regular file")
    assert rule_and_value("folder.py") == ("unreadable", "Is a directory")
    assert rule_and_value("dangling.py") == ("unreadable", "No such file or directory")
    assert rule_and_value("large.py") == ("too-large", 30_000)
    assert read(tmp_path, "dangling.py", max_bytes=100).stamp == NO_STAMP


# files


def test_only_source_directories_are_walked_and_links_do_not_loop(tmp_path: Path) -> None:
    for file in (
        "b.py",
        "a/z.py",
        "a/notes.txt",
        ".git/hook.py",
        "__pycache__/c.py",
        "x.egg-info/d.py",
        "build/lib/e.py",
        "pkg/build/__init__.py",
        "pkg/build/f.py",
    ):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "a" / "again.py").symlink_to(tmp_path / "b.py")
    assert find_files(str(tmp_path), SKIP).files == (
        "a/again.py",
        "a/z.py",
        "b.py",
        "pkg/build/__init__.py",
        "pkg/build/f.py",
    )


def test_a_directory_that_cannot_be_listed_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shut").mkdir()
    listing = os.scandir

    def refuse(path: str) -> Any:
        if path.endswith("shut"):
            raise PermissionError(13, "Permission denied", path)
        return listing(path)

    monkeypatch.setattr(os, "scandir", refuse)  # permissions do not bind every user
    tree = find_files(str(tmp_path), SKIP)
    assert list(tree.marks()) == [("shut", Mark(1, MODULE, "unreadable", "Permission denied"))]
    assert tree.count == 0


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(NothingThereError, match="nowhere"):
        find_files(str(tmp_path / "nowhere"), SKIP)


def test_every_file_falls_to_one_member_whatever_else_there_is() -> None:
    files = [f"m{n}.py" for n in range(1000)]
    shares = share(files, ["a", "b", "c"])
    assert sorted(file for part in shares.values() for file in part) == sorted(files)
    assert min(map(len, shares.values())) > 200
    assert share(files[::2], ["a", "b", "c"])["a"] == [f for f in files[::2] if f in shares["a"]]
    assert list(batches(files[:5], 2)) == [("m0.py", "m1.py"), ("m2.py", "m3.py"), ("m4.py",)]


# findings


def finding(**fields: Any) -> Finding:
    base = {"file": "a.py", "line": 1, "name": "f", "rule": "complexity", "value": 11}
    rest = {"severity": "medium", "reviewer": "complexity-1"}
    return Finding.model_validate({**base, **rest, **fields})


def test_rank_puts_severity_then_complexity_then_place_first() -> None:
    low = finding(rule="long-line", severity="low", value=500)
    high = finding(rule="eval-call", severity="high", value="eval", file="z.py")
    complex_one = finding(value=30, file="z.py")
    ordered = [high, complex_one, finding(), finding(line=2), low]
    shuffled = [low, complex_one, high, finding(line=2), finding()]
    assert sorted(shuffled, key=rank_of) == ordered


def test_too_many_findings_for_a_message_are_cut_and_counted() -> None:
    many = [finding(line=line, value=line) for line in range(1, 1001)]
    size = len(many[0].model_dump_json()) + 10
    kept = capped(many, budget=100 * size)
    assert kept[-1].rule == "findings-capped"
    assert kept[-1].value == 1000 - (len(kept) - 1)
    assert kept[0].value == 1000
    assert sum(len(item.model_dump_json()) for item in kept[:-1]) <= 100 * size
    assert capped(many[:3]) == tuple(reversed(many[:3]))


def test_texts_a_message_cannot_carry_are_made_readable() -> None:
    assert clean("a\ud800", 9) == "a\\ud800"
    assert clean("abcdef", 4) == "abc\u2026"
    mark = Mark(3, "f", "todo-comment", "x" * 999)
    assert len(str(finding_of(mark, file="a.py", reviewer="docs-1").value)) == 200


# options


def test_an_option_of_the_wrong_kind_is_named() -> None:
    assert (whole({"a": 3}, "a"), seconds({"a": 3}, "a"), words({"a": ("b",)}, "a")) == (
        3,
        3.0,
        ("b",),
    )
    for value in (None, True, -1, "3"):
        with pytest.raises(OptionError, match=r"options\.a"):
            whole({"a": value}, "a")
        with pytest.raises(OptionError, match=r"options\.a"):
            seconds({"a": value}, "a")
    for other in (None, "b", ("b", 1)):
        with pytest.raises(OptionError, match=r"options\.a"):
            words({"a": other}, "a")


def test_a_rule_nobody_has_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(OptionError, match="'complexity'"):
        Reviewer({"rules": ["complexty"], "max_file_kib": 1})


@pytest.mark.parametrize(
    "rule", ["complexity", "long-function", "many-arguments", "todo-comment", "long-line"]
)
def test_a_rule_without_its_threshold_is_refused(rule: str) -> None:
    with pytest.raises(OptionError, match="is missing"):
        Reviewer({"rules": [rule], "max_file_kib": 1})


# reviewers


def test_a_rule_applies_only_where_the_mob_file_lists_it(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("eval(x == None)\n", encoding="utf-8")
    batch = ReviewBatch(run="r", root=str(tmp_path), files=("a.py",))
    reviewer = Reviewer({"rules": ["eval-call"], "max_file_kib": 1})
    review = reviewer.review(batch, "a.py", profile="risk", reviewer="risk-1")
    assert [item.rule for item in review.findings] == ["eval-call"]
    assert review.size == 16


def test_a_rule_that_trips_over_a_file_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trip(node: ast.AST) -> Any:
        raise RecursionError("too deep")

    (tmp_path / "a.py").write_text("x = 1\n", encoding="utf-8")
    batch = ReviewBatch(run="r", root=str(tmp_path), files=("a.py",))
    reviewer = Reviewer({"rules": ["eval-call"], "max_file_kib": 1})
    monkeypatch.setattr(ast, "iter_child_nodes", trip)
    review = reviewer.review(batch, "a.py", profile="risk", reviewer="risk-1")
    assert [(item.rule, item.value) for item in review.findings] == [
        ("review-failed", "RecursionError: too deep")
    ]
