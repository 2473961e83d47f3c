"""What a socket is to be, and how its handshakes end.

A server or a client of CURVE over tcp, or local. Values; there is no fourth role.

There is no role for tcp without keys, nor one with passwords.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from transport.keys import KeyPair
from transport.reach import SecurityError, is_private

if TYPE_CHECKING:
    from transport.security import Authenticator

__all__ = ["Attempt", "Client", "Handshake", "Local", "Server"]


@dataclass(frozen=True, slots=True)
class Server:
    """A socket that listens on tcp.

    Attributes:
        keys: Its pair; the public half is what clients pin.
        authenticator: Of the socket's context.
        domain: One of the authenticator's domains.
        public: Whether it may listen on addresses that the whole world may reach.
    """

    keys: KeyPair
    authenticator: Authenticator
    domain: str = "mob.host"
    public: bool = False

    def check_host(self, host: str) -> None:
        """Refuse a public host unless that is wanted, and somebody in particular is let in.

        Raises:
            SecurityError: Only loopback and private addresses are for everybody to listen on.
        """
        if is_private(host):
            return
        if not self.public:
            raise SecurityError(
                f"'{host}' may be reached by the whole world",
                "listen on a loopback or private address, or say that it shall be public",
            )
        if not self.authenticator.allowed.peers:
            raise SecurityError(
                f"'{host}' is public and nobody is allowed to connect",
                "put the keys of those who may connect into the allow-list first",
            )


@dataclass(frozen=True, slots=True)
class Client:
    """A socket that dials one server over tcp.

    Attributes:
        keys: Its pair; the server must have the public half in its allow-list.
        server_key: Public key of the server, Z85. Nobody else can answer in its place.
    """

    keys: KeyPair
    server_key: str


@dataclass(frozen=True, slots=True)
class Local:
    """A socket that listens or dials on ipc or inproc; the directory's mode keeps others out."""


class Handshake(StrEnum):
    """How a handshake ended."""

    SUCCEEDED = "succeeded"
    REFUSED = "refused: the key is not allowed"
    MISMATCHED = "refused: not CURVE, or another server key"
    BROKEN = "cut off: no answer in time, or the other side closed"


class Attempt(StrEnum):
    """How far an attempt to connect came that has not got to the end of a handshake."""

    UNRESOLVED = "the name of the host is not known, or there is no way to it"
    UNHEARD = "nobody listens there, or the host cannot be reached"
    WAITING = "no reply to the attempt to connect"
    MUTE = "something takes the connection and begins no handshake"
