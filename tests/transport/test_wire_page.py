"""docs/wire.md says what the code does, so far as a test can see."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from transport import errors, limits
from transport.containers import LIST, MAP
from transport.envelope import Envelope, Kind
from transport.error_info import ErrorCode
from transport.errors import RemoteProtocolError

PAGE = (Path(__file__).parents[2] / "docs" / "wire.md").read_text(encoding="utf-8")


def chapter(name: str) -> str:
    found = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, name
    return found[1]


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_envelope_has_its_number(kind: Kind) -> None:
    assert f"{kind.name} {kind.value}" in chapter("Envelope")


def test_the_fields_of_an_envelope_are_in_their_order() -> None:
    fields = re.findall(r"^\| \d+ \| (\w+) \|", chapter("Envelope"), re.MULTILINE)

    assert tuple(fields) == Envelope._fields


def test_the_codes_are_the_closed_list() -> None:
    listed = re.search(r"^Codes: (.*?)\n\n", chapter("Errors"), re.MULTILINE | re.DOTALL)

    assert listed is not None
    assert re.findall(r"`(\w+)`", listed[1]) == [code.value for code in ErrorCode]


def test_every_refusal_is_explained() -> None:
    refusals = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and RemoteProtocolError in value.__bases__
    }

    assert refusals == set(re.findall(r"^\| `(\w+)` \|", chapter("Errors"), re.MULTILINE))


@pytest.mark.parametrize(
    "limit",
    [
        limits.FRAME_LIMIT,
        limits.PAYLOAD_LIMIT,
        limits.HEADER_LIMIT,
        limits.ROWS_LIMIT,
        limits.NODE_LIMIT,
        limits.DEPTH_LIMIT,
        limits.CROWD,
        limits.NUMBER_CROWD,
        limits.SURVEYED_BYTES,
    ],
)
def test_every_limit_is_written_down(limit: int) -> None:
    assert re.search(rf"(?<![\d,]){limit:,}(?![\d,])", chapter("Limits"))


def test_the_words_of_unions_are_written_down() -> None:
    assert f"`[{LIST}, array]` | the tuple or frozenset" in PAGE
    assert f"`[{MAP}, array]` | the FrozenMap" in PAGE
