"""Which key may speak under which name."""

from __future__ import annotations

from typing import Any, cast

import pytest

from actors.post.names import Names
from actors.post.parking import Violation
from transport.allowed import Allowed
from transport.events import ByeCode
from transport.security import new_key_pair

A, B, C = (new_key_pair(name).public for name in ("a", "b", "c"))


class Caller:
    """A connection, as far as names are concerned."""

    def __init__(self, key: str) -> None:
        self.key = key


def check(names: Names, node: str, key: str) -> None:
    names.check(node, cast("Any", Caller(key)))  # Any: nothing else is looked at


def refused(names: Names, node: str, key: str, text: str) -> None:
    with pytest.raises(Violation, match=text) as caught:
        check(names, node, key)
    assert caught.value.code is ByeCode.NAME


def test_a_listed_key_has_its_listed_name_and_nobody_else_has_it() -> None:
    allowed = Allowed()
    allowed.allow(A, "west", ["host"])
    names = Names(allowed)

    check(names, "west", A)
    refused(names, "east", A, "the key of 'west' speaks as 'east'")
    refused(names, "west", B, "the name 'west' belongs to a key of the allow-list")


def test_two_listed_keys_of_one_name_may_follow_each_other() -> None:
    allowed = Allowed()
    allowed.allow(A, "west", ["host"])
    names = Names(allowed)
    check(names, "west", A)

    allowed.allow(B, "west", ["host"])
    check(names, "west", B)
    check(names, "west", A)


def test_a_stranger_keeps_the_name_it_used_first_and_may_take_another() -> None:
    names = Names(Allowed())

    check(names, "srv", A)
    refused(names, "srv", B, "the name 'srv' belongs to another key")
    assert names.of(A) == "srv"

    check(names, "other", A)
    assert names.of(A) == "other"  # the last one
    check(names, "srv", A)
    assert names.of(A) == "srv"
    refused(names, "other", C, "belongs to another key")
    assert names.of(C) is None
