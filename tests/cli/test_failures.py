"""An error becomes one line, one hint and an exit code."""

from __future__ import annotations

import pytest

from actors.cli.failures import FAILED, USAGE, UsageProblem, explain, one_line, tell
from actors.domain.errors import DefinitionError, NotWired, StoreInUse, TurnCancelled
from actors.domain.tables import printable


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageProblem("it is not there", "name another"), USAGE),
        (DefinitionError("mob.toml", "members[0].profile", "no profile 'x'"), USAGE),
        (DefinitionError("mob.toml", "", "there is no such file"), USAGE),
        (StoreInUse("dir", 17), FAILED),
        (NotWired("a", "b"), FAILED),
        (OSError(28, "No space left on device"), FAILED),
        (RuntimeError("what\nis this"), FAILED),
    ],
)
def test_every_error_has_one_line_a_hint_and_a_code(error: Exception, code: int) -> None:
    failure = explain(error)

    assert failure.exit_code == code
    assert failure.sentence
    assert failure.hint
    assert "\n" not in failure.sentence + failure.hint


def test_an_error_without_hint_has_none() -> None:
    assert explain(TurnCancelled("lead", "1")).hint is None


def test_a_line_holds_nothing_that_a_terminal_obeys() -> None:
    assert one_line("a\x1b[2J\nb\udcff") == "a\\x1b[2J b\\udcff"
    assert printable("größe") == "größe"


def test_a_traceback_is_printed_only_for_debugging(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell(NotWired("a", "b"), debug=False) == FAILED
    plain = capsys.readouterr().err
    tell(NotWired("a", "b"), debug=True)
    long = capsys.readouterr().err

    assert plain.splitlines() == [
        "mob: 'a' is not wired to 'b'; nothing was delivered",
        "hint: wire them with mob.wire('a', 'b') or in the mob file",
    ]
    assert long.endswith(plain)
    assert "NotWired" in long.removesuffix(plain)
