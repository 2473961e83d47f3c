"""An error as people see it: one line, a hint, an exit code. A traceback only when asked for."""

from __future__ import annotations

import sys
import traceback
from dataclasses import dataclass
from typing import Final

from actors.domain.errors import DefinitionError, MobError
from actors.domain.tables import printable

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells count

DISK_HINT: Final = "check the path, its permissions and free space"
BUG_HINT: Final = "this should not happen: run it again with --debug and report what it prints"


class UsageProblem(Exception):
    """The command cannot be meant as it was given; nothing was started."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem, hint)
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        return self.problem


class JobFailed(MobError):
    """The mob ended the job and says itself that it could not be done."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Failure:
    """What is said about an error: `sentence` and `hint` are one line each."""

    sentence: str
    hint: str | None
    exit_code: int


def explain(error: BaseException) -> Failure:
    """Put any error into words."""
    match error:
        case UsageProblem():
            return Failure(one_line(error), one_line(error.hint), USAGE)
        case DefinitionError(key="", hint=None):
            return Failure(one_line(error), "name a mob file: mob run FILE", USAGE)
        case DefinitionError():
            return Failure(one_line(error), one_line(error.hint or "correct the mob file"), USAGE)
        case MobError():
            return Failure(one_line(error), error.hint and one_line(error.hint), FAILED)
        case OSError():
            return Failure(one_line(error), DISK_HINT, FAILED)
        case _:
            sentence = f"{type(error).__name__}: {one_line(error)}"
            return Failure(sentence, BUG_HINT, FAILED)


def tell(error: BaseException, *, debug: bool) -> int:
    """Print an error to standard error; returns the exit code."""
    failure = explain(error)
    if debug:
        traceback.print_exception(error)
    tell_plainly(failure.sentence, failure.hint)
    return failure.exit_code


def tell_plainly(sentence: str, hint: str | None) -> None:
    """Print a line and a hint to standard error."""
    hint_line = "" if hint is None else f"hint: {hint}\n"
    sys.stderr.write(f"mob: {sentence}\n{hint_line}")
    sys.stderr.flush()


def one_line(text: object) -> str:
    """The text on one line, without what a terminal would obey or cannot show."""
    return printable(" ".join(str(text).split()))
