"""Who speaks in a message that has arrived: the identity that the transport proved, or nobody.

Never a field that the peer wrote. ZAP is asked at the handshake only, so the guard looks the key up
in the live set again on every message: what was revoked meanwhile is refused from then on.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Protocol

from transport.allowed import Allowed, Peer, Role
from transport.zap import DOMAINS

__all__ = ["Guard", "LocalGuard", "ReceivedFrame"]


class ReceivedFrame(Protocol):
    """What is read of a `zmq.Frame` (`socket.recv(copy=False)`)."""

    def get(self, option: str, /) -> int | str | bytes:
        """The property of this name, a str; raises zmq's error when there is none."""


class Guard:
    """For sockets that *listen* on tcp: their `User-Id` is the key that the ZAP handler admitted.

    On a dialling socket, or one without CURVE, the property is whatever the other side claims
    (libzmq puts a peer's own properties there when ZAP set none). A dialled peer is the server key
    that was pinned: `admits_key`.

    Args:
        allowed: The live set.
        domain: That of the listening socket.
        domains: As for the `Authenticator`.
    """

    proof = "User-Id"  # the property of a frame that says who sent it

    def __init__(
        self,
        allowed: Allowed,
        domain: str = "mob.host",
        domains: Mapping[str, frozenset[Role]] = DOMAINS,
    ) -> None:
        self._allowed = allowed
        self._roles = domains[domain]

    @property
    def live_set(self) -> object:
        """What was admitted under this very object still is; another one means: ask again."""
        return self._allowed.peers

    def admits(self, frame: ReceivedFrame) -> Peer | None:
        """Return who sent a frame, or None when it must not be looked at.

        None also when the peer has lost the role of this domain. A cost of a look-up or two.
        """
        try:
            user = frame.get(self.proof)
        except Exception:  # noqa: BLE001 - zmq's error for "none"; without an answer nobody is admitted
            return None
        return self.admits_key(str(user))

    def admits_key(self, key: str) -> Peer | None:
        """Return whom a proven key stands for, or None when it is not or no longer allowed here."""
        peer = self._allowed.peers.get(key)
        if peer is None or self._roles.isdisjoint(peer.roles):
            return None
        return peer


class LocalGuard:
    """For ipc sockets: the kernel says which user is at the other end, and it must be this one.

    Args:
        peer: Who that is then, e.g. the local operator with all roles.
    """

    # libzmq puts SO_PEERCRED behind a name: "localhost:UID:GID:PID".
    proof = "Peer-Address"

    def __init__(self, peer: Peer) -> None:
        self.live_set: object = peer  # for ever, as `Guard`
        self._peer = peer
        self._user = str(os.geteuid())

    def admits(self, frame: ReceivedFrame) -> Peer | None:
        """Return the local peer, or None when a frame comes from another user."""
        try:
            words = str(frame.get(self.proof)).rsplit(":", 3)
        except Exception:  # noqa: BLE001 - zmq's error for "none"; without an answer nobody is admitted
            return None
        return self._peer if len(words) == 4 and words[1] == self._user else None
