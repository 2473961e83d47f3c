"""Errors of the kernel as data, and back; a declared one says how it would arrive as itself."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from actors import Actor, Request, handles
from actors.kernel import declared
from actors.kernel.declared import declare
from actors.post.faults import RemoteError, error_of, info_of
from transport.error_info import ErrorCode, ErrorInfo
from transport.errors import UnknownMessage


class NotFound(Exception):
    pass


class Plain(Exception):
    """Nobody declares it."""


class NotHere(NotFound):
    """Not declared itself, and with a constructor of its own."""

    def __init__(self, *, place: str) -> None:
        super().__init__(f"not at {place}")


class Gone(NotHere):
    pass


class Missing(Exception):
    """Takes a keyword, which does not travel."""

    def __init__(self, *, what: str = "?") -> None:
        super().__init__(f"{what} is missing")
        self.what = what


class Find(Request[int], tag="test.faults.find"):
    pass


class Finder(Actor):
    @handles(raises=(NotFound, Missing))
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


@pytest.mark.parametrize("kind", [NotHere, Gone])
def test_a_subclass_of_a_declared_error_crosses_as_the_nearest_declared_base(
    kind: type[NotHere],
) -> None:
    info = info_of(kind(place="home"))

    assert (info.code, info.type) == (ErrorCode.DECLARED, f"{__name__}:NotFound")
    error = error_of(info, "mob://a/b")
    assert type(error) is NotFound
    assert str(error) == "not at home"


def test_an_error_of_the_wire_keeps_its_code_whatever_handlers_declare() -> None:
    declare(Exception)
    try:
        assert info_of(UnknownMessage("a.tag")).code is ErrorCode.UNKNOWN_MESSAGE
        assert info_of(Plain("k")).type == "builtins:Exception"
    finally:
        declared._names.pop(Exception)
        declared._by_name.pop("builtins:Exception")


def test_what_an_error_takes_by_keyword_does_not_come_back_and_its_text_does() -> None:
    error = error_of(info_of(Missing(what="hammer")), "mob://a/b")

    assert type(error) is Missing
    assert str(error) == "hammer is missing"


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
