"""Why a node that is dialled does not answer, in words for who dials it."""

from __future__ import annotations

from typing import Final

from transport.socket_roles import Attempt, Handshake

_WORDS: Final[dict[Attempt | Handshake | None, tuple[str, str]]] = {
    None: ("nothing was heard from there", "see that it runs and listens"),
    Attempt.UNRESOLVED: (
        "the name of the host is not known here, or there is no way to it",
        "see that it is written right, and that this machine finds it: getent hosts HOST",
    ),
    Attempt.UNHEARD: (
        "nobody listens there, or the host cannot be reached",
        "see that the node runs, and that the address is the one its `listen` returned",
    ),
    Attempt.WAITING: (
        "the host does not reply",
        "see that it is up, and that no firewall is in between",
    ),
    Attempt.MUTE: (
        "something listens there and begins no handshake",
        "see that the address is the one the node's `listen` returned",
    ),
    Handshake.REFUSED: (
        "the node refuses the key of this one",
        "put this node's public key into its allow-list: `mob keys show` prints the line",
    ),
    Handshake.MISMATCHED: (
        "the handshake failed: it is no node with keys, or has another key than the given one",
        "compare `key` with what `mob keys show` prints over there",
    ),
    Handshake.BROKEN: (
        "the handshake was cut off: it has another key than the given one, or is no node",
        "compare `key` with what `mob keys show` prints over there",
    ),
    Handshake.SUCCEEDED: (
        "it is connected, and says no hello",
        "its loop may be held: `mob doctor --stacks` over there shows by whom",
    ),
}


def why_unanswered(
    control: Attempt | Handshake | None, data: Attempt | Handshake | None, *, half: bool
) -> tuple[str, str]:
    """Why a connect was not answered, and what to do.

    Args:
        control: How far the control channel came.
        data: How far the data channel came.
        half: Whether the control channel is ready, so that it is the other one that is missing.
    """
    if not half:
        return _WORDS[control]
    why, hint = _WORDS[data]
    return (
        f"its control channel is ready, and its data channel is not: {why}",
        f"{hint}; the data channel has a port of its own, which a firewall must let through",
    )
