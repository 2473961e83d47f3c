"""Tables: aligned, at most 100 columns, harmless for any content; escaped in HTML."""

from __future__ import annotations

from enum import StrEnum
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.tables import (
    ELLIPSIS,
    HTML_CELL,
    WIDTH,
    Report,
    Rows,
    cell,
    columns_of,
    html_table,
    printable,
    shorten,
    text_table,
)
from transport.message import FrozenMap, Message


class Colour(StrEnum):
    RED = "red"


class Point(Message):
    x: int


class Finding(Report):
    file: str
    line: int = 0


class Review(Report):
    name: str
    findings: tuple[Finding, ...] = ()
    best: Finding | None = None
    scores: tuple[int, ...] = ()
    labels: FrozenMap[str, str] = FrozenMap({})


class Inner(Report):
    review: Review
    findings: tuple[Finding, ...] = ()


class Outer(Report):
    inner: Inner
    ok: bool = True


class Empty(Report):
    pass


class Wide(Report):
    a_field_with_a_very_long_name_that_takes_more_than_half_of_the_width_of_a_line: str = "x" * 200
    b: int = 1


# A report prints as field and value


def test_a_report_prints_its_name_and_one_line_for_each_field() -> None:
    report = Review(name="risk", scores=(3, 4), labels=FrozenMap({"b": "2", "a": "1"}))

    assert str(report) == (
        "Review\n"
        "  name      risk\n"
        "  findings  -\n"
        "  best      -\n"
        "  scores    3, 4\n"
        "  labels    a=1, b=2"
    )
    assert repr(report) == str(report)


def test_a_tuple_of_reports_prints_its_length_and_an_indented_table() -> None:
    findings = (Finding(file="a.py", line=7), Finding(file="long/name.py", line=120))

    assert str(Review(name="risk", findings=findings)) == (
        "Review\n"
        "  name      risk\n"
        "  findings  2\n"
        "    file          line\n"
        "    ------------  ----\n"
        "    a.py             7\n"
        "    long/name.py   120\n"
        "  best      -\n"
        "  scores    -\n"
        "  labels    -"
    )


def test_nested_reports_print_indented() -> None:
    review = Review(name="risk", best=Finding(file="a.py"))
    outer = Outer(inner=Inner(review=review, findings=(Finding(file="b.py", line=1),)))

    assert str(outer) == (
        "Outer\n"
        "  inner  Inner\n"
        "    review    Review\n"
        "      name      risk\n"
        "      findings  -\n"
        "      best      Finding\n"
        "        file  a.py\n"
        "        line  0\n"
        "      scores    -\n"
        "      labels    -\n"
        "    findings  1\n"
        "      file  line\n"
        "      ----  ----\n"
        "      b.py     1\n"
        "  ok     yes"
    )


def test_a_long_nested_table_is_cut_and_counted() -> None:
    report = Review(name="risk", findings=tuple(Finding(file=f"{n}.py") for n in range(50)))

    lines = str(report).split("\n")

    assert "    … 30 more, 50 in all" in lines
    assert len(lines) < 32


def test_a_report_without_fields_prints_its_name() -> None:
    assert str(Empty()) == "Empty"
    assert Rows([Empty(), Empty()]).__str__() == "2 x Empty"


def test_a_long_field_name_leaves_half_of_the_line_to_the_value() -> None:
    lines = str(Wide()).split("\n")

    assert all(columns_of(line) <= WIDTH for line in lines)
    assert lines[1].endswith("xxx…")
    assert lines[2].split() == ["b", "1"]


# Many reports print as one table


def test_rows_print_as_one_table_with_numbers_to_the_right() -> None:
    rows = Rows([Finding(file="a.py", line=7), Finding(file="b.py", line=1200)])

    assert repr(rows) == ("file  line\n----  ----\na.py     7\nb.py  1200")


def test_rows_of_different_reports_share_their_columns() -> None:
    rows: Rows[Message] = Rows([Finding(file="a.py", line=1), Point(x=2)])

    assert str(rows) == ("file  line  x\n----  ----  -\na.py  1     -\n-     -     2")


def test_reports_in_a_row_are_one_line_and_tuples_of_them_a_number() -> None:
    review = Review(
        name="risk",
        findings=(Finding(file="a.py"), Finding(file="b.py")),
        best=Finding(file="a.py"),
    )

    assert str(Rows([review])) == (
        "name  findings  best                        scores  labels\n"
        "----  --------  --------------------------  ------  ------\n"
        "risk         2  Finding(file=a.py, line=0)  -       -"
    )


def test_no_rows_say_so() -> None:
    assert str(Rows()) == "(no rows)"
    assert Rows()._repr_html_() == "<p>(no rows)</p>"


def test_many_rows_are_cut_and_counted() -> None:
    rows = Rows(Finding(file=f"{n}.py") for n in range(10_000))

    lines = str(rows).split("\n")

    assert lines[-1] == "… 9900 more, 10000 in all"
    assert len(lines) == 103
    assert "… 9900 more" in rows._repr_html_()


def test_rows_are_a_tuple_and_their_slices_are_rows() -> None:
    rows = Rows([Finding(file="a.py"), Finding(file="b.py")])

    assert rows == (Finding(file="a.py"), Finding(file="b.py"))
    assert rows[1].file == "b.py"
    assert isinstance(rows[:1], Rows)
    assert list(rows[:1]) == [Finding(file="a.py")]


# Cells


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ((), "-"),
        (frozenset(), "-"),
        (FrozenMap({}), "-"),
        ("", "''"),
        (" ", "' '"),
        (True, "yes"),
        (False, "no"),
        (12, "12"),
        (0.0, "0"),
        (1.5, "1.5"),
        (100.0, "100"),
        (1.23456, "1.235"),
        (0.00001234, "1.23e-05"),
        (1e300, "1e+300"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (b"abc", "3 bytes"),
        (Colour.RED, "red"),
        (["a", "b"], "a, b"),
        (frozenset({"b", "a"}), "a, b"),
        ((("a", 1), ("b", 2)), "a, 1, b, 2"),
        (Point(x=1), "x=1"),
        ("a\nb\x1b[31m\u202e\ud800", "a\\nb\\x1b[31m\\u202e\\ud800"),
    ],
)
def test_a_cell_is_one_readable_line(value: object, text: str) -> None:
    assert cell(value) == text


def test_a_long_collection_says_how_many_items_it_has() -> None:
    text = cell(tuple(range(50_000)))

    assert text.startswith("(50000) 0, 1, 2, ")
    assert text.endswith(", 29, …")


def test_a_huge_text_is_cut() -> None:
    assert columns_of(cell("x" * 10_000_000)) == HTML_CELL


# Widths


def test_wide_characters_count_two_columns_and_marks_none() -> None:
    assert columns_of("日本") == 4
    assert columns_of("e\u0301") == 1
    assert columns_of("abc") == 3


def test_shortening_cuts_before_a_character_that_does_not_fit() -> None:
    assert shorten("日本語", 6) == "日本語"
    assert shorten("日本語", 5) == "日本…"
    assert shorten("日本語", 4) == "日…"
    assert shorten("abc", 1) == "…"


def test_thousands_of_marks_on_one_letter_are_cut() -> None:
    assert len(shorten("e" + "\u0301" * 10_000, 10)) <= 41


def test_wide_characters_keep_columns_aligned() -> None:
    table = text_table(["name", "n"], [["日本", 1], ["ab", 20]])

    assert table == "name   n\n----  --\n日本   1\nab    20"


def test_the_widest_column_is_shortened_first() -> None:
    table = text_table(["a", "b", "c"], [["short", "x" * 300, "tail"]], width=30)

    assert table.split("\n")[2] == "short  xxxxxxxxxxxxxxxx…  tail"


def test_the_first_column_is_shortened_last() -> None:
    table = text_table(["name", "b", "c"], [["n" * 30, "b" * 30, "c" * 30]], width=60)

    assert table.split("\n")[2] == f"{'n' * 30}  {'b' * 12}…  {'c' * 12}…"


def test_a_first_column_that_leaves_no_comfort_is_shortened_too() -> None:
    table = text_table(["name", "b"], [["n" * 90, "b" * 30]], width=60)

    assert table.split("\n")[2] == f"{'n' * 45}…  {'b' * 11}…"


def test_a_report_may_choose_its_columns() -> None:
    class Chosen(Report):
        row_columns = ("b",)
        a: int = 1
        b: int = 2

    assert str(Rows([Chosen()])) == "b\n-\n2"
    assert str(Chosen()) == "Chosen\n  a  1\n  b  2"


def test_columns_that_do_not_fit_are_left_out_and_named() -> None:
    headers = [f"column-{number}" for number in range(40)]

    lines = text_table(headers, [headers]).split("\n")

    assert lines[-1].startswith("… without the columns column-17, column-18, ")
    assert all(columns_of(line) <= WIDTH for line in lines)


def test_a_table_narrower_than_any_column_shows_the_first() -> None:
    assert text_table(["name", "b"], [["abc", 1]], width=2).split("\n")[:3] == ["n…", "--", "a…"]


# What may come: anything at all. What can be sent as JSON: anything UTF-8 can write.
hostile = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\n\r\t\x1b\u202e\u2028\x00<>&\"'日\u0301🙂"),
    ),
    max_size=200,
)


@given(hostile)
def test_nothing_unprintable_stays(text: str) -> None:
    assert printable(text).isprintable()


@given(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"])), st.integers(1, 50))
def test_a_shortened_text_fits(text: str, width: int) -> None:
    shortened = shorten(text, width)

    assert columns_of(shortened) <= width
    assert shortened == text or shortened.endswith(ELLIPSIS)


reviews_of = st.builds(
    Review, name=hostile, labels=st.dictionaries(hostile, hostile, max_size=3).map(FrozenMap)
)


@given(st.lists(reviews_of, min_size=1, max_size=5))
def test_any_content_prints_in_lines_of_at_most_100_columns(reviews: list[Review]) -> None:
    for text in (str(Rows(reviews)), *map(str, reviews)):
        for line in text.split("\n"):
            assert line.isprintable()
            assert columns_of(line) <= WIDTH
            assert line == line.rstrip(" ")


@given(st.lists(hostile, min_size=1, max_size=6))
def test_rows_have_one_line_each_whatever_they_hold(names: list[str]) -> None:
    text = str(Rows(Finding(file=name) for name in names))

    assert len(text.split("\n")) == 2 + len(names)


# HTML


class Tags(HTMLParser):
    """Collects the tags a browser would see, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_a_report_is_an_html_table() -> None:
    assert Finding(file="<b>", line=1)._repr_html_() == (
        "<table><caption>Finding</caption><tbody>"
        "<tr><th>file</th><td>&lt;b&gt;</td></tr>"
        "<tr><th>line</th><td>1</td></tr></tbody></table>"
    )


def test_rows_are_an_html_table_with_a_head() -> None:
    assert Rows([Finding(file='"a"', line=1)])._repr_html_() == (
        "<table><thead><tr><th>file</th><th>line</th></tr></thead>"
        "<tbody><tr><td>&quot;a&quot;</td><td>1</td></tr></tbody></table>"
    )


def test_nested_reports_are_tables_inside_tables() -> None:
    review = Review(
        name="risk",
        findings=(Finding(file="a.py"), Finding(file="b.py")),
        best=Finding(file="a.py"),
    )

    html = review._repr_html_()

    assert html.count("<table>") == 3
    assert "<td>b.py</td>" in html


def test_html_counts_the_rows_it_leaves_out() -> None:
    html = html_table(["a", "b"], [[1, 2]], more=3)

    assert '<tfoot><tr><td colspan="2">… 3 more</td></tr></tfoot>' in html


@given(hostile, hostile)
def test_no_content_becomes_a_tag_or_an_attribute(name: str, label: str) -> None:
    review = Review(
        name=f"{name}<script>alert(1)</script>",
        findings=(Finding(file=f"<img src=x onerror='{name}'>"),),
        labels=FrozenMap({label: name}),
    )
    plain = {"table", "caption", "tbody", "thead", "tr", "th", "td"}

    for html in (review._repr_html_(), Rows([review])._repr_html_()):
        seen = Tags(html)
        assert seen.tags <= plain
        assert seen.attributes == []


@given(
    st.builds(
        Review,
        name=st.text(st.characters(codec="utf-8")),
        scores=st.lists(st.integers()).map(tuple),
    )
)
def test_equal_reports_print_equal_text(review: Review) -> None:
    twin = Review.model_validate_json(review.model_dump_json())

    assert str(twin) == str(review)
    assert twin._repr_html_() == review._repr_html_()
