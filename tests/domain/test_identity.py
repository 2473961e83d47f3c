"""Identities: what may be one, and the laws of runtime ids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from actors.domain.errors import InvalidIdentity, WiringError
from actors.domain.identity import (
    MAX_COUNTER,
    MAX_IDENTITY_CHARS,
    Incarnation,
    RuntimeId,
    check_identity,
)

COUNTERS = st.integers(min_value=0, max_value=MAX_COUNTER)
IDENTITIES = st.text(st.characters(codec="utf-8"), min_size=1) | st.from_regex(
    r"[a-c:0-9]{1,6}", fullmatch=True
)


@pytest.mark.parametrize(
    "text", ["lead", "w-1", "a:b:c", "two words", "é", "名", "x" * MAX_IDENTITY_CHARS, "...", "_"]
)
def test_valid_identity_is_returned_as_it_is(text: str) -> None:
    assert check_identity(text) == text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (7, "it must be a text, not int"),
        (None, "it must be a text, not NoneType"),
        ("", "it is empty"),
        ("  ", "it is empty"),
        (" a", "it has blanks around it"),
        ("a\n", "it has blanks around it"),
        ("x" * 129, "it has 129 characters, at most 128 are allowed"),
        ("a\x00b", "it contains U+0000, which does not print"),
        ("a\u202eb", "it contains U+202E, which does not print"),
        ("a\ud800", "it contains U+D800, which does not print"),
        ("a/b", "it contains '/'"),
        (".", "it would name a directory"),
        ("..", "it would name a directory"),
    ],
)
def test_invalid_identity_is_refused_with_the_reason(text: object, problem: str) -> None:
    with pytest.raises(InvalidIdentity) as caught:
        check_identity(text)

    assert caught.value.problem == problem
    assert caught.value.text == text


def test_1_5_reserved_prefix_is_a_wiring_error_naming_identity_and_prefix() -> None:
    with pytest.raises(WiringError) as caught:
        check_identity("__flow_system_x")

    assert str(caught.value) == (
        "identity '__flow_system_x' begins with the reserved prefix '__flow_system_'"
    )


def test_1_1_runtime_id_reads_identity_colon_generation() -> None:
    assert str(RuntimeId(identity="lead", generation=0)) == "lead:0"


@given(IDENTITIES, COUNTERS)
def test_parsing_a_runtime_id_undoes_its_text(identity: str, generation: int) -> None:
    runtime_id = RuntimeId(identity=identity, generation=generation)

    assert RuntimeId.parse(str(runtime_id)) == runtime_id


def test_runtime_id_is_split_at_the_last_colon() -> None:
    assert RuntimeId.parse("a:1:2") == RuntimeId(identity="a:1", generation=2)


@given(st.lists(st.tuples(IDENTITIES, COUNTERS)))
def test_runtime_ids_sort_like_their_texts(parts: list[tuple[str, int]]) -> None:
    ids = [RuntimeId(identity=identity, generation=generation) for identity, generation in parts]

    assert [str(each) for each in sorted(ids)] == sorted(str(each) for each in ids)


@pytest.mark.parametrize("text", ["", "lead", ":0", "lead:"])
def test_runtime_id_needs_both_parts(text: str) -> None:
    with pytest.raises(InvalidIdentity):
        RuntimeId.parse(text)


@pytest.mark.parametrize(
    "digits", ["+1", "-1", " 1", "01", "1_0", "\u0663", "x", str(MAX_COUNTER + 1), "9" * 5000]
)
def test_runtime_id_takes_plain_decimal_generations_only(digits: str) -> None:
    with pytest.raises(InvalidIdentity) as caught:
        RuntimeId.parse(f"lead:{digits}")

    assert caught.value.problem == "what follows the last colon is not a generation"


@given(st.text())
def test_any_text_parses_or_is_an_invalid_identity(text: str) -> None:
    try:
        runtime_id = RuntimeId.parse(text)
    except InvalidIdentity:
        return
    assert str(runtime_id) == text


def test_incarnation_adds_the_fence() -> None:
    incarnation = Incarnation(identity="w-1", generation=1, fence=3)

    assert incarnation.runtime_id == RuntimeId(identity="w-1", generation=1)
    assert str(incarnation) == "w-1:1 fence:3"


@pytest.mark.parametrize(("generation", "fence"), [(-1, 1), (0, 0), (MAX_COUNTER + 1, 1)])
def test_counters_out_of_range_are_refused(generation: int, fence: int) -> None:
    with pytest.raises(ValidationError):
        Incarnation(identity="w-1", generation=generation, fence=fence)
