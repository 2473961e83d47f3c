"""The states of a link and of a session, and what leads from one to the next.

Rule 1: whatever changes the state of either machine is an input of its table here, and `step_link`
and `step_session` are the only ways to apply one. Rule 2: what a table does not have raises, and
nothing has changed then.

    link      may the peer of one channel be spoken to, and does it live      `transport.link`
    session   which envelopes the two still owe each other                    `transport.session`

The two move together: a session is open exactly while its link is ready or silent.
docs/wire.md draws these tables; a test compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final, TypeAlias

from transport.errors import IllegalStep

__all__ = [
    "LINK_TABLE",
    "SESSION_TABLE",
    "LinkInput",
    "LinkState",
    "LinkTable",
    "SessionInput",
    "SessionState",
    "SessionTable",
    "step_link",
    "step_session",
]


class LinkState(Enum):
    """Where a link stands."""

    NEW = "new"  # never had a connection
    GREETING = "greeting"  # connected; the Hellos are not exchanged yet
    READY = "ready"  # the only state in which the peer is trusted
    SILENT = "silent"  # connected, nothing heard for 3 s: suspect
    CUT = "cut"  # the connection is closed: suspect
    GONE = "gone"  # final


class LinkInput(Enum):
    """What may happen to a link."""

    OPENED = "opened"  # a connection, perhaps in place of the one there is
    GREETED = "greeted"  # the peer's Hello is accepted
    HEARD = "heard"  # any other parcel but a Bye
    QUIET = "quiet"  # nothing for 3 s
    CLOSED = "closed"  # by either side, to be made anew
    ENDED = "ended"  # a refusal, a Bye, a violation, 8 s of silence, 3 s without a connection


class SessionState(Enum):
    """Where a session stands."""

    IDLE = "idle"  # there is none
    PROPOSED = "proposed"  # this side dialled and named one; the peer has not answered
    OPEN = "open"  # both know it, and a connection carries it
    PAUSED = "paused"  # both know it; no connection


class SessionInput(Enum):
    """What may happen to a session."""

    PROPOSE = "propose"  # this side dials
    BEGIN = "begin"  # a Hello starts a new session
    RESUME = "resume"  # a Hello continues the one there is
    PAUSE = "pause"  # the connection is closed or replaced
    END = "end"  # a process died, or one side gave it up


LinkTable: TypeAlias = Mapping[LinkState, Mapping[LinkInput, LinkState]]
SessionTable: TypeAlias = Mapping[SessionState, Mapping[SessionInput, SessionState]]

# fmt: off
LINK_TABLE: Final[LinkTable] = MappingProxyType({
    LinkState.NEW: {
        LinkInput.OPENED: LinkState.GREETING,
        LinkInput.ENDED: LinkState.GONE,
    },
    LinkState.GREETING: {
        LinkInput.OPENED: LinkState.GREETING,
        LinkInput.GREETED: LinkState.READY,
        LinkInput.CLOSED: LinkState.CUT,
        LinkInput.ENDED: LinkState.GONE,
    },
    LinkState.READY: {
        LinkInput.OPENED: LinkState.GREETING,  # the peer dialled anew before we saw the end
        LinkInput.HEARD: LinkState.READY,
        LinkInput.QUIET: LinkState.SILENT,
        LinkInput.CLOSED: LinkState.CUT,
        LinkInput.ENDED: LinkState.GONE,
    },
    LinkState.SILENT: {
        LinkInput.OPENED: LinkState.GREETING,
        LinkInput.HEARD: LinkState.READY,
        LinkInput.CLOSED: LinkState.CUT,
        LinkInput.ENDED: LinkState.GONE,
    },
    LinkState.CUT: {
        LinkInput.OPENED: LinkState.GREETING,
        LinkInput.ENDED: LinkState.GONE,
    },
    LinkState.GONE: {},
})

SESSION_TABLE: Final[SessionTable] = MappingProxyType({
    SessionState.IDLE: {
        SessionInput.PROPOSE: SessionState.PROPOSED,
        SessionInput.BEGIN: SessionState.OPEN,
        SessionInput.PAUSE: SessionState.IDLE,
        SessionInput.END: SessionState.IDLE,  # what waits for a session is given up
    },
    SessionState.PROPOSED: {
        SessionInput.PROPOSE: SessionState.PROPOSED,  # the same again
        SessionInput.BEGIN: SessionState.OPEN,
        SessionInput.PAUSE: SessionState.PROPOSED,
        SessionInput.END: SessionState.IDLE,
    },
    SessionState.OPEN: {
        SessionInput.PAUSE: SessionState.PAUSED,
        SessionInput.END: SessionState.IDLE,
    },
    SessionState.PAUSED: {
        SessionInput.PROPOSE: SessionState.PAUSED,  # it is resumed
        SessionInput.RESUME: SessionState.OPEN,
        SessionInput.PAUSE: SessionState.PAUSED,
        SessionInput.END: SessionState.IDLE,
    },
})
# fmt: on


def step_link(state: LinkState, happened: LinkInput) -> LinkState:
    """The state of a link that follows.

    Raises:
        IllegalStep: The table has no such step.
    """
    try:
        return LINK_TABLE[state][happened]
    except KeyError:
        raise IllegalStep("link", state.value, happened.value) from None


def step_session(state: SessionState, happened: SessionInput) -> SessionState:
    """The state of a session that follows.

    Raises:
        IllegalStep: The table has no such step.
    """
    try:
        return SESSION_TABLE[state][happened]
    except KeyError:
        raise IllegalStep("session", state.value, happened.value) from None
