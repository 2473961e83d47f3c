"""Errors of the kernel as data, and back; a declared one says how it would arrive as itself."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from actors import Actor, Request, handles
from actors.kernel.declared import declare
from actors.post.faults import RemoteError, error_of, info_of
from transport.error_info import ErrorCode, ErrorInfo


class NotFound(Exception):
    pass


class Find(Request[int], tag="test.faults.find"):
    pass


class Finder(Actor):
    @handles(raises=(NotFound,))
    def find(self, message: Find) -> int:
        raise NotFound("nobody", 7)


def nameless() -> type[Exception]:
    """A class of a notebook: its module is no file."""
    return type("Lost", (Exception,), {"__module__": "__main__"})


def test_a_declared_error_crosses_by_its_name_and_comes_back_as_itself() -> None:
    info = info_of(NotFound("nobody", 7))

    assert (info.code, info.type) == (ErrorCode.DECLARED, f"{__name__}:NotFound")
    error = error_of(info, "mob://a/b")
    assert type(error) is NotFound
    assert error.args == ("nobody", 7)


def test_a_declared_error_that_nobody_knows_here_says_what_to_do() -> None:
    error = error_of(
        ErrorInfo(ErrorCode.DECLARED, "no tickets", type="nowhere:SoldOut"), "mob://a/b"
    )

    assert isinstance(error, RemoteError)
    assert (error.args, error.type) == (("no tickets",), "nowhere:SoldOut")
    assert str(error) == (
        "no tickets (no handler here declares 'nowhere:SoldOut': "
        "import its module, or give both one wire_tag)"
    )


def test_a_name_of_a_peer_is_shown_and_not_obeyed() -> None:
    error = error_of(ErrorInfo(ErrorCode.DECLARED, "no", type="os:\x1b[31m\n"), "mob://a/b")

    assert "\\x1b[31m\\n" in str(error)
    assert str(error).isprintable()


def test_an_error_without_a_name_for_others_is_declared_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    lost = nameless()
    declare(lost)

    info = info_of(lost("where"))
    error = error_of(info, "mob://a/b")

    assert (info.code, info.type, info.text) == (ErrorCode.DECLARED, "", "where")
    assert isinstance(error, RemoteError)
    assert "wire_tag = '...'" in str(error)
