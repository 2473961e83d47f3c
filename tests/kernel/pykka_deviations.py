"""Where `ThreadActor` and `Actor` leave Pykka 4.5: one row each, whom it is of and what they do.

`docs/guarantees.md` has the same rows with what Pykka does and why we do not; they are compared in
`test_pykka_deviations.py`, and so are the tests that show each row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

THREAD: Final = ("thread", "owned")
OWNED: Final = ("owned",)
LOOP: Final = ("loop",)
SYSTEM: Final = ("owned", "loop")
BOTH: Final = ("thread", "owned", "loop")

# How docs/guarantees.md says whom a row is of.
OF: Final = {
    THREAD: "`ThreadActor`",
    OWNED: "`ThreadActor` in a system",
    LOOP: "`Actor`",
    SYSTEM: "`Actor`, `ThreadActor` in a system",
    BOTH: "both",
}


@dataclass(frozen=True, slots=True)
class Deviation:
    """For which kinds Pykka's sentence does not hold, and what holds instead."""

    of: tuple[str, ...]
    instead: str


DEVIATIONS: Final = {
    # making and starting
    "start-keywords": Deviation(
        SYSTEM,
        "`name`, `loop`, `wait` and `timeout` are taken by `start`; `__init__` gets the rest",
    ),
    "forgotten-super": Deviation(SYSTEM, "`StartFailed`, which says so"),
    "made-by-hand": Deviation(
        LOOP, "`KernelError`: only `start` makes one; the base's `__init__` takes no arguments"
    ),
    "reserved-names": Deviation(THREAD, "`handler_table` and `mailbox` are ours, too"),
    "reserved-names-loop": Deviation(
        LOOP,
        "`address`, `after`, `every`, `handler_table`, `promise`, `realm`, `sorts`, `spawn`, "
        "`starts_silently`, `stops_silently` and `watch` are ours, too",
    ),
    "patched": Deviation(
        LOOP, "`on_receive` is read when the class is made, and so is whether it has hooks"
    ),
    "stop-in-init": Deviation(LOOP, "it ends without either hook"),
    # threads
    "own-thread": Deviation(LOOP, "all share the thread of their loop, which a handler holds"),
    "thread-name": Deviation(THREAD, "`Class ADDRESS`"),
    "process-exit": Deviation(
        SYSTEM, "its thread is a daemon; at exit it is told to stop and has 5 s"
    ),
    "async": Deviation(LOOP, "an `async def` handler, `on_start` or `on_stop` is awaited"),
    "fork": Deviation(BOTH, "`ForkedProcess` from every call"),
    # messages and mailboxes
    "full-inbox": Deviation(
        THREAD,
        "1,024 messages; `tell` waits up to 30 s for room, `ask` also no longer than its timeout, "
        "then `MailboxFull`; at once on a loop and in the actor itself",
    ),
    "full-mailbox": Deviation(
        LOOP,
        "1,024 messages and 16 MiB; then `tell` raises `MailboxFull` at once, `ask` answers it",
    ),
    "message-size": Deviation(LOOP, "above 1,040,384 bytes (1 MiB less 8 KiB): `MessageTooBig`"),
    "inbox-object": Deviation(BOTH, "an inbox of ours, with none of a queue's methods"),
    "unhandled": Deviation(
        LOOP, "without `on_receive`: a dead letter, and `Unhandled` for who asked"
    ),
    "left-behind": Deviation(BOTH, "it becomes a dead letter, which is logged"),
    # asking
    "ask-failure": Deviation(
        LOOP,
        "it is a failure as from a `tell`: `ActorFailed`, its cause the exception, and the actor "
        "ends; errors named in `@handles(raises=…)` return",
    ),
    "ask-timeout": Deviation(LOOP, "30 s by default; `None` waits for ever"),
    "debugging": Deviation(LOOP, "with `MOB_DEBUG=1` it waits for its answer however long"),
    "would-deadlock": Deviation(
        LOOP, "`WouldDeadlock` from `ask`, `get` and `stop` that block; nothing is sent"
    ),
    "ask-cycle": Deviation(
        THREAD, "`AskCycle` at once, with the path, also where a timeout would end the wait"
    ),
    "answer-to-come": Deviation(
        LOOP, "`self.promise()` or `ref.request(…)`, returned, is answered when its answer comes"
    ),
    # failing
    "base-exception": Deviation(
        BOTH, "a failure of that actor only: `on_failure`, and `ActorFailed` for who asked"
    ),
    "base-exception-in-hook": Deviation(BOTH, "it ends the actor, and everybody who asked is told"),
    "failure-hook": Deviation(LOOP, "it runs first; until it returns the actor is alive"),
    # ending
    "stop-order": Deviation(
        LOOP,
        "`stop` overtakes what is queued, also an actor's own; `ref.stop(drain=True)` does not",
    ),
    "stop-at-the-end": Deviation(BOTH, "waits for the end, True"),
    "stop-of-the-ended": Deviation(BOTH, "`self.stop()` does nothing"),
    # refs and the registry
    "registry": Deviation(LOOP, "not in it"),
    "urn": Deviation(LOOP, "`actor_urn` is the address, which a later actor may have again"),
    "ref-text": Deviation(
        SYSTEM, "the text shows the address; `repr` of an `Actor`'s ref nothing else"
    ),
    "ref-identity": Deviation(LOOP, "refs of one actor are equal, not identical"),
    "stopped-event": Deviation(
        LOOP,
        "it has `is_set` only",
    ),
    "error-texts": Deviation(BOTH, "address, class of the message, seconds"),
    "logs": Deviation(
        BOTH,
        "loggers `actors.*`; an end, and an exception that returns to its asker, are not logged",
    ),
    "private-stops": Deviation(
        BOTH, "they stop nothing; the flag, of a `ThreadActor`, makes `is_alive()` False"
    ),
    # proxies
    "no-proxy": Deviation(
        LOOP, "`proxy()` raises `LocalOnly`; proxy messages are messages like any other"
    ),
    "private-attributes": Deviation(
        THREAD, "`AttributeError` for who asks, a dead letter for who tells; the actor lives"
    ),
    # futures
    "future-class": Deviation(BOTH, "a `pykka.Future`, but no `pykka.ThreadingFuture`"),
    "future-await": Deviation(
        BOTH, "it suspends the task; without a running asyncio loop it must be answered already"
    ),
    "future-answered": Deviation(BOTH, "the actor's answer is dropped, and the actor goes on"),
    "future-hook": Deviation(BOTH, "two threads that get at the same time may both compute it"),
    "future-no-exception": Deviation(BOTH, "`ValueError` from `set_exception`"),
    "future-far": Deviation(BOTH, "it waits as long as the system can"),
}
