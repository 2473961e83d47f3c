"""Every error: its sentence, its hint, its attributes, and that it can be copied."""

from __future__ import annotations

import copy
import pickle
import traceback

import pytest

from actors.domain.errors import (
    DefinitionError,
    Draining,
    InboxFull,
    InvalidIdentity,
    KeyConflict,
    MemberAlreadyExists,
    MemberHeld,
    MemberNotFound,
    MobError,
    NotWired,
    ProfileNotFound,
    StaleIncarnation,
    StoreDamaged,
    StoreError,
    StoreInUse,
    StoreTooNew,
    TurnCancelled,
    TurnFailed,
    UnknownEvent,
    WiringError,
    listed,
    nearest,
)

IDENTITY_HINT = "use 1 to 128 printable characters, no '/', no blanks around them"

GRID: list[tuple[MobError, str, str | None]] = [
    (
        DefinitionError("mob.toml", "members[2].profile", "no profile 'x'", "profiles are: lead"),
        "mob.toml: members[2].profile: no profile 'x'",
        "profiles are: lead",
    ),
    (DefinitionError("mob.toml", "", "must be a table"), "mob.toml: must be a table", None),
    (
        InvalidIdentity("a/b", "it contains '/'"),
        "'a/b' cannot be an identity: it contains '/'",
        IDENTITY_HINT,
    ),
    (
        MemberNotFound("laed", ("w-1", "lead")),
        "no member 'laed'; did you mean 'lead'?",
        "members are: lead, w-1",
    ),
    (MemberNotFound("x"), "no member 'x'", "members are: none"),
    (
        MemberAlreadyExists("lead"),
        "member 'lead' already exists",
        "choose another name, or retire the member first",
    ),
    (
        ProfileNotFound("rsik", ("risk", "docs")),
        "no profile 'rsik'; did you mean 'risk'?",
        "profiles are: docs, risk",
    ),
    (WiringError("self-edges are not allowed"), "self-edges are not allowed", None),
    (
        NotWired("a", "b"),
        "'a' is not wired to 'b'; nothing was delivered",
        "wire them with mob.wire('a', 'b') or in the mob file",
    ),
    (
        StaleIncarnation("w-1:1", 3, 2),
        "stale fence for 'w-1:1': expected 3, got 2",
        "the member was restarted; read its fence again from the roster",
    ),
    (
        Draining("spawn of 'x'"),
        "spawn of 'x' refused: the mob is shutting down",
        "launch the mob again; accepted inputs are still in its ledger",
    ),
    (
        MemberHeld("w-1", "5 restarts in 60 s"),
        "member 'w-1' is held: 5 restarts in 60 s",
        "look at its failures in mob.events(), repair the cause, then respawn it",
    ),
    (
        InboxFull("w-1", 1000, 0.5),
        "the inbox of 'w-1' is full (1000 inputs)",
        "send again after 0.5 seconds",
    ),
    (
        KeyConflict("in-1"),
        "key 'in-1' was used before with a different content",
        "use a new key for a new content",
    ),
    (
        TurnFailed("w-1", "i-7", "ValueError", "no", 5),
        "'w-1' failed input i-7 after 5 attempts: ValueError: no",
        "the input is quarantined; mob.dead_letters() shows it",
    ),
    (
        TurnFailed("w-1", "i-7", "ValueError", "no", 1),
        "'w-1' failed input i-7 after 1 attempt: ValueError: no",
        "the input is quarantined; mob.dead_letters() shows it",
    ),
    (TurnCancelled("w-1", "i-7"), "'w-1' was interrupted in input i-7", None),
    (
        UnknownEvent("member_spawnd", ("member_spawned",)),
        "unknown ledger event 'member_spawnd'; did you mean 'member_spawned'?",
        "it may come from a later version of mob-actors",
    ),
    (StoreError("/s", "disk full", "make room"), "store /s: disk full", "make room"),
    (
        StoreInUse("/s", 41),
        "store /s: in use by process 41",
        "end that process or choose another store",
    ),
    (
        StoreInUse("/s", None),
        "store /s: in use by another process",
        "end that process or choose another store",
    ),
    (
        StoreDamaged("/s", 7, "hash differs"),
        "store /s: damaged at entry 7: hash differs",
        "nothing was changed; restore a copy or start with a new state directory",
    ),
    (
        StoreDamaged("/s", None, "not a database"),
        "store /s: damaged: not a database",
        "nothing was changed; restore a copy or start with a new state directory",
    ),
    (
        StoreTooNew("/s", 3, 1),
        "store /s: has version 3, this program knows up to 1",
        "nothing was changed; install a newer mob-actors",
    ),
]
CASES = pytest.mark.parametrize(
    ("error", "text", "hint"),
    GRID,
    ids=[f"{type(error).__name__}{n}" for n, (error, _, _) in enumerate(GRID)],
)


@CASES
def test_error_says_one_sentence_and_a_hint(error: MobError, text: str, hint: str | None) -> None:
    assert isinstance(error, MobError)
    assert str(error) == text
    assert error.hint == hint


@CASES
def test_error_made_again_from_its_args_is_the_same(
    error: MobError, text: str, hint: str | None
) -> None:
    again = type(error)(*error.args)

    assert (str(again), again.hint, again.args) == (text, hint, error.args)


@CASES
@pytest.mark.parametrize("way", ["copy", "pickle"])
def test_error_survives_copying(error: MobError, text: str, hint: str | None, way: str) -> None:
    twin = copy.copy(error) if way == "copy" else pickle.loads(pickle.dumps(error))

    assert type(twin) is type(error)
    assert (str(twin), vars(twin)) == (text, vars(error))


@CASES
def test_traceback_shows_the_hint_below_the_sentence(
    error: MobError, text: str, hint: str | None
) -> None:
    lines = "".join(traceback.format_exception_only(error)).splitlines()

    assert lines[0] == f"actors.domain.errors.{type(error).__name__}: {text}"
    assert lines[1:] == ([] if hint is None else [f"hint: {hint}"])


def test_every_error_class_is_in_the_grid() -> None:
    def below(kind: type[MobError]) -> set[type[MobError]]:
        return {kind}.union(*(below(each) for each in kind.__subclasses__()))

    here = {kind for kind in below(MobError) if kind.__module__ == "actors.domain.errors"}
    assert here - {type(error) for error, _, _ in GRID} == {MobError}


def test_attributes_carry_the_constructor_arguments() -> None:
    failed = TurnFailed("w-1", "i-7", "ValueError", "no", 5)
    damaged = StoreDamaged("/s", 7, "hash differs")
    full = InboxFull("w-1", 10, 0.5)

    assert (failed.identity, failed.input_id, failed.attempts) == ("w-1", "i-7", 5)
    assert (failed.error_type, failed.error_text) == ("ValueError", "no")
    assert (damaged.path, damaged.cursor, damaged.problem) == ("/s", 7, "hash differs")
    assert (full.identity, full.limit, full.retry_after) == ("w-1", 10, 0.5)
    assert StoreInUse("/s", 41).pid == 41
    assert (StoreTooNew("/s", 3, 1).found, StoreTooNew("/s", 3, 1).known) == (3, 1)


def test_subclass_may_say_its_hint_when_it_is_made() -> None:
    error = MobError("broken", hint="mend it")

    assert (str(error), error.hint) == ("broken", "mend it")


def test_refused_identity_is_shown_bounded_and_printable() -> None:
    error = InvalidIdentity("\x1b[31m" * 1000, "it is long")

    assert str(error).startswith(r"'\x1b[31m\x1b[31m")
    assert len(str(error)) < 120


@pytest.mark.parametrize(
    ("word", "known", "found"),
    [
        ("isolatoin", ["isolation", "options"], "isolation"),
        ("Lead ", ["lead", "w-1"], "lead"),
        ("zebra", ["lead", "w-1"], None),
        ("lead", [], None),
        ("LEAD", ["lead", "Lead"], "Lead"),
    ],
)
def test_nearest_name(word: str, known: list[str], found: str | None) -> None:
    assert nearest(word, known) == found


def test_listing_many_names_is_cut() -> None:
    names = [f"w-{n}" for n in range(1, 10)]

    assert listed(names[:8]) == "w-1, w-2, w-3, w-4, w-5, w-6, w-7, w-8"
    assert listed(names) == "w-1, w-2, w-3, w-4, w-5, w-6, w-7, w-8 and 1 more"
