"""Addresses: parsing, the rules of their parts, and the neighbour an error names."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport import Address, AddressError

nodes = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", fullmatch=True)
segments = (
    st.text(
        st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="/"),
        min_size=1,
        max_size=128,
    )
    .map(str.strip)
    .filter(lambda text: text not in {"", ".", ".."})
)
addresses = st.builds(
    lambda node, path: Address(node, "/".join(path)),
    nodes,
    st.lists(segments, min_size=1, max_size=5),
)


@given(addresses)
def test_parse_undoes_str(address: Address) -> None:
    assert Address.parse(str(address)) == address


@given(addresses, segments)
def test_parent_undoes_child(address: Address, name: str) -> None:
    child = address.child(name)

    assert child.parent == address
    assert child.name == name
    assert child.segments == (*address.segments, name)


@given(st.text() | st.text().map("mob://".__add__))
def test_any_text_is_an_address_or_names_a_valid_neighbour(text: str) -> None:
    try:
        address = Address.parse(text)
    except AddressError as error:
        address = Address.parse(error.nearest)
        text = error.nearest

    assert str(address) == text


@given(st.text(), st.text(max_size=3_000))
def test_any_parts_are_an_address_or_name_a_valid_neighbour(node: str, actor: str) -> None:
    try:
        address = Address(node, actor)
    except AddressError as error:
        address = Address.parse(error.nearest)

    assert Address(address.node, address.actor) == address


@pytest.mark.parametrize(
    ("text", "problem", "nearest"),
    [
        ("mob:/demo/lead", "does not start", "mob://demo/lead"),
        ("mob//demo/lead", "does not start", "mob://demo/lead"),
        ("tcp://demo/lead", "does not start", "mob://demo/lead"),
        ("demo/lead", "does not start", "mob://demo/lead"),
        (" mob://demo/lead", "does not start", "mob://demo/lead"),
        ("", "does not start", "mob://node/actor"),
        ("mob://", "names no node", "mob://node/actor"),
        ("mob:///lead", "names no node", "mob://node/lead"),
        ("mob://demo", "names no actor", "mob://demo/actor"),
        ("mob://demo/", "names no actor", "mob://demo/actor"),
        ("mob://my demo/lead", "has a node name with other characters", "mob://my-demo/lead"),
        ("mob://_demo/lead", "has a node name with other characters", "mob://demo/lead"),
        (f"mob://{'n' * 64}/a", "has a node name longer", f"mob://{'n' * 63}/a"),
        ("mob://demo/lead/", "has an empty segment", "mob://demo/lead"),
        ("mob://demo/a//b", "has an empty segment", "mob://demo/a/b"),
        ("mob://demo/a/../b", "has the segment '..'", "mob://demo/a/b"),
        ("mob://demo/./b", "has the segment '.'", "mob://demo/b"),
        ("mob://demo/ a", "blanks at its ends", "mob://demo/a"),
        (f"mob://demo/{'é' * 129}", "has a segment longer", f"mob://demo/{'é' * 128}"),
        ("mob://demo/a\nb", "has a control character", "mob://demo/ab"),
        ("mob://demo/a\ud800b", "has a control character", "mob://demo/ab"),
    ],
)
def test_error_says_the_problem_and_the_nearest_valid_address(
    text: str, problem: str, nearest: str
) -> None:
    with pytest.raises(AddressError) as caught:
        Address.parse(text)

    assert problem in caught.value.problem
    assert caught.value.nearest == nearest


def test_an_address_has_a_greatest_length() -> None:
    path = "/".join("x" * 100 for _ in range(12))

    with pytest.raises(AddressError, match="longer than 1024 characters") as caught:
        Address("demo", path)

    assert path.startswith(Address.parse(caught.value.nearest).actor)


def test_a_name_with_a_slash_is_a_path_of_children() -> None:
    address = Address("demo", "mob/lead")

    assert address.segments == ("mob", "lead")
    assert address.name == "lead"
    assert address.parent == Address("demo", "mob")
    assert address.parent.parent is None


def test_identities_of_any_script_are_actor_names() -> None:
    for name in ("Größe", "lead:0", "a-3", "what now?", "検査", "100%"):
        assert Address.parse(f"mob://demo/{name}").name == name


def test_an_address_is_frozen_hashable_and_ordered() -> None:
    lead, risk = Address("demo", "lead"), Address("demo", "risk")

    with pytest.raises(dataclasses.FrozenInstanceError):
        lead.node = "other"  # type: ignore[misc]  # the point of the test
    assert {lead, Address("demo", "lead")} == {lead}
    assert sorted([risk, lead]) == [lead, risk]
