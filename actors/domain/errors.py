"""What can go wrong in a mob, as one tree.

```
MobError
├── DefinitionError        the mob file must be changed; never retried
├── InvalidIdentity        the text cannot name a member
├── MemberNotFound         no such member
├── MemberAlreadyExists    the name is taken
├── ProfileNotFound        the definition has no such profile
├── WiringError            the edge, or the name, is not allowed
├── NotWired               may not speak to that member
├── StaleIncarnation       a fenced-off past spoke
├── Draining               the mob is shutting down
├── MemberHeld             restart budget spent; a person must look
├── InboxFull              retry after a while
├── KeyConflict            one idempotency key, two different contents
├── TurnFailed             the member's turn raised, as often as it may
├── TurnCancelled          the turn was interrupted
├── UnknownEvent           the ledger holds an event this version does not know
└── StoreError
    ├── StoreInUse         another process has it
    ├── StoreDamaged       the hash chain, or an entry, does not hold
    └── StoreTooNew        written by a later version
```

Every class keeps its values on attributes, says one sentence in `str()`, and says in `hint` what a
person can do (None when there is nothing). A traceback shows the hint as a note below the sentence.
The names say what happened; spec/member_runtime.md §5.1 fixes most of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

SHOWN_NAMES = 8
"""How many known names a hint lists before it says how many more there are."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name most like `word`, or None when none is close.

    Case and surrounding blanks do not count. Of equally close names the first in sorted order wins.
    """
    by_folded: dict[str, str] = {}
    for name in sorted(known):
        by_folded.setdefault(name.strip().casefold(), name)
    found = get_close_matches(word.strip().casefold(), sorted(by_folded), n=1)
    return by_folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the nearest known name, or an empty string."""
    name = nearest(word, known)
    return "" if name is None else f"; did you mean '{name}'?"


def listed(known: Iterable[str]) -> str:
    """Return the names sorted and joined, cut after `SHOWN_NAMES`; "none" when there are none."""
    names = sorted(known)
    if not names:
        return "none"
    shown = ", ".join(names[:SHOWN_NAMES])
    more = len(names) - SHOWN_NAMES
    return f"{shown} and {more} more" if more > 0 else shown


class MobError(Exception):
    """Base of everything a mob raises on purpose.

    `args` are the positional arguments of the constructor, so that copying and pickling work.
    A subclass sets its attributes, then calls `super().__init__(*its_arguments, hint=...)`.
    """

    hint: str | None = None

    def __init__(self, *args: object, hint: str | None = None) -> None:
        super().__init__(*args)
        if hint is not None:
            self.hint = hint
        if self.hint is not None:
            self.add_note(f"hint: {self.hint}")


class DefinitionError(MobError):
    """A mob definition is wrong in one place.

    Attributes: `source` (file name), `key` (dotted, `members[2].profile`, or `line 3, column 5`
    when the text is not TOML), `problem` (names the nearest valid name where there is one), `hint`.
    """

    def __init__(self, source: str, key: str, problem: str, hint: str | None = None) -> None:
        self.source = source
        self.key = key
        self.problem = problem
        super().__init__(source, key, problem, hint, hint=hint)

    def __str__(self) -> str:
        return ": ".join(part for part in (self.source, self.key, self.problem) if part)


class InvalidIdentity(MobError):
    """A text cannot be an identity; `text` is the value, `problem` says why."""

    def __init__(self, text: object, problem: str) -> None:
        self.text = text
        self.problem = problem
        hint = "use 1 to 128 printable characters, no '/', no blanks around them"
        super().__init__(text, problem, hint=hint)

    def __str__(self) -> str:
        # Bounded: the text may be anything a stranger sent.
        shown = ascii(self.text)
        shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
        return f"{shown} cannot be an identity: {self.problem}"


class MemberNotFound(MobError):
    """No member has this identity; `known` holds the identities that there are."""

    def __init__(self, identity: str, known: Iterable[str] = ()) -> None:
        self.identity = identity
        self.known = tuple(known)
        super().__init__(identity, self.known, hint=f"members are: {listed(self.known)}")

    def __str__(self) -> str:
        return f"no member '{self.identity}'{did_you_mean(self.identity, self.known)}"


class MemberAlreadyExists(MobError):
    """The identity is taken by a member, active or held."""

    hint = "choose another name, or retire the member first"

    def __init__(self, identity: str) -> None:
        self.identity = identity
        super().__init__(identity)

    def __str__(self) -> str:
        return f"member '{self.identity}' already exists"


class ProfileNotFound(MobError):
    """The definition has no such profile; `known` holds the ones it has."""

    def __init__(self, profile: str, known: Iterable[str] = ()) -> None:
        self.profile = profile
        self.known = tuple(known)
        super().__init__(profile, self.known, hint=f"profiles are: {listed(self.known)}")

    def __str__(self) -> str:
        return f"no profile '{self.profile}'{did_you_mean(self.profile, self.known)}"


class WiringError(MobError):
    """An edge, or a name that would take part in wiring, is not allowed; `text` says why."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(text)

    def __str__(self) -> str:
        return self.text


class NotWired(MobError):
    """The sender has no edge to the target: nothing was delivered."""

    def __init__(self, sender: str, target: str) -> None:
        self.sender = sender
        self.target = target
        hint = f"wire them with mob.wire('{sender}', '{target}') or in the mob file"
        super().__init__(sender, target, hint=hint)

    def __str__(self) -> str:
        return f"'{self.sender}' is not wired to '{self.target}'; nothing was delivered"


class StaleIncarnation(MobError):
    """A past incarnation spoke, or was spoken to; nothing was done.

    `identity` names the member or its runtime id, `expected` is the fence now on the roster,
    `actual` the fence that came (spec/member_runtime.md §1.1, FenceToken).
    """

    hint = "the member was restarted; read its fence again from the roster"

    def __init__(self, identity: str, expected: int, actual: int) -> None:
        self.identity = identity
        self.expected = expected
        self.actual = actual
        super().__init__(identity, expected, actual)

    def __str__(self) -> str:
        return f"stale fence for '{self.identity}': expected {self.expected}, got {self.actual}"


class Draining(MobError):
    """`what` was refused because the mob is shutting down."""

    hint = "launch the mob again; accepted inputs are still in its ledger"

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(what)

    def __str__(self) -> str:
        return f"{self.what} refused: the mob is shutting down"


class MemberHeld(MobError):
    """The member is held: it failed too often to be restarted once more."""

    hint = "look at its failures in mob.events(), repair the cause, then respawn it"

    def __init__(self, identity: str, reason: str) -> None:
        self.identity = identity
        self.reason = reason
        super().__init__(identity, reason)

    def __str__(self) -> str:
        return f"member '{self.identity}' is held: {self.reason}"


class InboxFull(MobError):
    """The member's inbox has no room; `limit` in inputs, `retry_after` in seconds."""

    def __init__(self, identity: str, limit: int, retry_after: float) -> None:
        self.identity = identity
        self.limit = limit
        self.retry_after = retry_after
        super().__init__(
            identity, limit, retry_after, hint=f"send again after {retry_after:g} seconds"
        )

    def __str__(self) -> str:
        return f"the inbox of '{self.identity}' is full ({self.limit} inputs)"


class KeyConflict(MobError):
    """The idempotency key was used before with a different content."""

    hint = "use a new key for a new content"

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(key)

    def __str__(self) -> str:
        return f"key '{self.key}' was used before with a different content"


class TurnFailed(MobError):
    """The turn raised on each of its `attempts`; `error_type` and `error_text` are the last."""

    hint = "the input is quarantined; mob.dead_letters() shows it"

    def __init__(
        self, identity: str, input_id: str, error_type: str, error_text: str, attempts: int
    ) -> None:
        self.identity = identity
        self.input_id = input_id
        self.error_type = error_type
        self.error_text = error_text
        self.attempts = attempts
        super().__init__(identity, input_id, error_type, error_text, attempts)

    def __str__(self) -> str:
        times = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        return (
            f"'{self.identity}' failed input {self.input_id} after {times}: "
            f"{self.error_type}: {self.error_text}"
        )


class TurnCancelled(MobError):
    """The turn was interrupted before it ended."""

    def __init__(self, identity: str, input_id: str) -> None:
        self.identity = identity
        self.input_id = input_id
        super().__init__(identity, input_id)

    def __str__(self) -> str:
        return f"'{self.identity}' was interrupted in input {self.input_id}"


class UnknownEvent(MobError):
    """A ledger entry has a tag that this version does not know; `known` holds the known tags."""

    def __init__(self, tag: str, known: Iterable[str] = ()) -> None:
        self.tag = tag
        self.known = tuple(known)
        super().__init__(tag, self.known, hint="it may come from a later version of mob-actors")

    def __str__(self) -> str:
        return f"unknown ledger event '{self.tag}'{did_you_mean(self.tag, self.known)}"


class StoreError(MobError):
    """The store at `path` could not do its work; `problem` says what."""

    def __init__(self, path: str, problem: str, hint: str | None = None) -> None:
        self.path = path
        self.problem = problem
        super().__init__(path, problem, hint, hint=hint)

    def __str__(self) -> str:
        return f"store {self.path}: {self.problem}"


class StoreInUse(StoreError):
    """Another process holds the store; `pid` is its process id, None when it left none."""

    def __init__(self, path: str, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(path, f"in use by {holder}", "end that process or choose another store")
        self.pid = pid
        self.args = (path, pid)


class StoreDamaged(StoreError):
    """An entry of the store does not hold; `cursor` is the first bad one, None for the whole."""

    def __init__(self, path: str, cursor: int | None, problem: str) -> None:
        super().__init__(
            path, problem, "nothing was changed; restore a copy or start with a new state directory"
        )
        self.cursor = cursor
        self.args = (path, cursor, problem)

    def __str__(self) -> str:
        where = "damaged" if self.cursor is None else f"damaged at entry {self.cursor}"
        return f"store {self.path}: {where}: {self.problem}"


class StoreTooNew(StoreError):
    """The store has schema version `found`; this program knows up to `known`."""

    def __init__(self, path: str, found: int, known: int) -> None:
        super().__init__(
            path,
            f"has version {found}, this program knows up to {known}",
            "nothing was changed; install a newer mob-actors",
        )
        self.found = found
        self.known = known
        self.args = (path, found, known)
