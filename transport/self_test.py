"""Proof at start that the door is shut: a stranger is refused, and who may come in does.

A server that lets everybody in looks exactly like one that works. So before a node says that it
listens, three probes shake hands with it over the real socket: one with a random key, one without
CURVE, one with a key that is let in for this moment only (and whose messages no guard would take).
"""

from __future__ import annotations

import time
from typing import Final

from transport.reach import SecurityError, local_face
from transport.security import Authenticator, Client, Handshake, Watch, new_key_pair, probe

__all__ = ["SelfTestFailed", "self_test"]

# Half-way through a handshake a busy machine may lose a connection: then it is tried again.
_AGAIN: Final = Handshake.BROKEN
_AGAIN_S: Final = 0.05


class SelfTestFailed(SecurityError):
    """The listening socket admits whom it must refuse, or refuses whom it must admit: close it."""


def self_test(
    authenticator: Authenticator, endpoint: str, server_key: str, *, timeout_s: float = 5.0
) -> None:
    """Prove that a listening endpoint refuses strangers; blocks for a few milliseconds.

    To be called after `listen` and before the node is announced, again every ten minutes and
    whenever something about the authenticator has changed. Needs nobody to read the socket.

    Args:
        authenticator: The one of the listening socket.
        endpoint: As `listen` returned it.
        server_key: Public key of the listening socket.
        timeout_s: For each of the three probes.

    Raises:
        SelfTestFailed: A probe ended otherwise than it must, or had no answer in time. The caller
            must close the socket.
    """
    stranger, welcome = new_key_pair("stranger"), new_key_pair("welcome")
    with authenticator.probing(welcome.public, stranger.public):
        for role, wanted, said in (
            (Client(stranger, server_key), Handshake.REFUSED, "a random key"),
            (None, Handshake.MISMATCHED, "a client without CURVE"),
            (Client(welcome, server_key), Handshake.SUCCEEDED, "an allowed key"),
        ):
            found = _outcome(authenticator, role, local_face(endpoint), timeout_s)
            if found is not wanted:
                verb = "admitted" if wanted is Handshake.SUCCEEDED else "refused"
                what = "no answer" if found is None else found.value
                raise SelfTestFailed(
                    f"{said} must be {verb} at {endpoint}, but its handshake: {what}",
                    "do not run this node; check its keys and that its ZAP handler is alive",
                )


def _outcome(
    authenticator: Authenticator, role: Client | None, endpoint: str, timeout_s: float
) -> Handshake | None:
    """How the handshake of one probe ends; None when nothing was decided in time."""
    deadline = time.monotonic() + timeout_s
    last = None
    while time.monotonic() < deadline:
        with probe(authenticator.context, role, endpoint) as watch:
            last = _first(watch, deadline) or last
        if last is not _AGAIN:
            break
        time.sleep(_AGAIN_S)
    return last


def _first(watch: Watch, deadline: float) -> Handshake | None:
    """How the next handshake ends; None when it does not in time."""
    while (left_s := deadline - time.monotonic()) > 0:
        for outcome in watch.read(timeout_ms=int(left_s * 1000) + 1):
            return outcome
    return None
