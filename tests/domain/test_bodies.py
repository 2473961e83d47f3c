"""Bodies: what members say to each other, packed once and unpacked where it is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.bodies import Body, UnknownBody, pack, unpack
from transport.message import Message


class Finding(Message, tag="test.bodies.finding"):
    file: str
    lines: tuple[int, ...] = ()


@given(st.text())
def test_text_comes_back_as_it_was(text: str) -> None:
    assert unpack(pack(text)) == text


@given(st.text(), st.lists(st.integers()))
def test_a_message_comes_back_as_it_was(file: str, lines: list[int]) -> None:
    message = Finding(file=file, lines=tuple(lines))

    assert unpack(pack(message)) == message


def test_something_else_is_no_body() -> None:
    with pytest.raises(TypeError, match="a str or a Message, not dict"):
        pack({"file": "a.py"})  # type: ignore[arg-type]  # the mistake under test


def test_a_tag_nobody_has_is_named_with_a_hint() -> None:
    with pytest.raises(UnknownBody) as caught:
        unpack(Body(tag="test.bodies.findign", data="{}"))

    assert caught.value.tag == "test.bodies.findign"
    assert "no message class has the tag 'test.bodies.findign'" in str(caught.value)
    assert caught.value.hint is not None
    assert "import the module" in caught.value.hint


def test_data_that_does_not_fit_its_class_is_refused() -> None:
    with pytest.raises(ValueError, match="Finding"):
        unpack(Body(tag="test.bodies.finding", data='{"file": 1}'))


def test_digests_tell_bodies_apart() -> None:
    bodies = [pack("a"), pack("b"), Body(tag="a", data=""), Body(tag="", data="a")]

    assert len({body.digest for body in bodies[:3]}) == 3
    assert pack("a").digest == bodies[0].digest
