"""Z85 (RFC 32): vectors, the round trip, and what is no Z85."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport import z85

# From RFC 32, "Test Case".
VECTOR = (bytes.fromhex("864FD26FB559F75B"), "HelloWorld")


def test_the_vector_of_the_specification_holds() -> None:
    assert z85.encode(VECTOR[0]) == VECTOR[1]
    assert z85.decode(VECTOR[1]) == VECTOR[0]


@given(st.binary(max_size=64).map(lambda data: data[: len(data) // 4 * 4]))
def test_decode_undoes_encode(data: bytes) -> None:
    text = z85.encode(data)

    assert z85.decode(text) == data
    assert len(text) == len(data) // 4 * 5


@given(st.text(alphabet=z85._ALPHABET, min_size=5, max_size=5))
def test_a_value_has_one_text(text: str) -> None:
    try:
        data = z85.decode(text)
    except ValueError:
        return

    assert z85.encode(data) == text


@pytest.mark.parametrize("text", ["Hell", "Hello World", "Hell~", "Hellö", "#####"])
def test_what_is_no_z85_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        z85.decode(text)

    assert text not in str(caught.value)


def test_bytes_that_do_not_fill_a_group_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 4"):
        z85.encode(b"12345")
