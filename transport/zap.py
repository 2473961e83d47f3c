"""The decision of a ZAP handler (ZeroMQ RFC 27) without its socket: frames in, frames out.

libzmq asks at each handshake of a socket that has a ZAP domain::

    "1.0" | request id | domain | address | routing id | mechanism | credentials...

and is answered with::

    "1.0" | request id | status code | status text | user id | metadata

Only 200 lets a peer in, and only a CURVE key of the live set with a role that fits the domain gets
it. The user id of the answer, the key itself, is what every message of the connection then carries.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from transport import z85
from transport.allowed import Peer, Role
from transport.refusals import Reason

__all__ = ["DOMAINS", "Verdict", "judge", "put_off"]

VERSION: Final = b"1.0"
CURVE: Final = b"CURVE"
KEY_BYTES: Final = 32
SHOWN_CHARACTERS: Final = 64  # of what a request says; longer texts only flood the record

# Who may come in by which door. Hosts and operators have separate sockets: what an operator may ask
# for is then never one forgotten check away from a host.
DOMAINS: Final[Mapping[str, frozenset[Role]]] = {
    "mob.host": frozenset({Role.HOST}),
    "mob.operator": frozenset({Role.OPERATOR_READ, Role.OPERATOR_WRITE, Role.OPERATOR_ADMIN}),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is done about one request.

    Attributes:
        answer: Frames of the answer; None when the request is too broken to be answered: its
            handshake then runs into its time limit and fails.
        reason: None when the peer is let in.
        mechanism: As the request says, printable; `-` when it does not.
        key: Public key in Z85, or `-`.
        address: As the request says, printable; `-` when it does not.
    """

    answer: tuple[bytes, ...] | None
    reason: Reason | None
    mechanism: str = "-"
    key: str = "-"
    address: str = "-"


def judge(
    frames: Sequence[bytes],
    *,
    peers: Mapping[str, Peer],
    domains: Mapping[str, frozenset[Role]] = DOMAINS,
    probes: Collection[str] = (),
) -> Verdict:
    """Decide about one request, whatever its bytes.

    Args:
        frames: The request without the envelope of the ROUTER (peer's routing id, delimiter).
        peers: The live set by key.
        domains: Roles that each domain lets in; one of them is enough.
        probes: Keys of a self-test: let in without a user id, so that no message of theirs counts.

    Returns:
        The verdict; nothing is raised.
    """
    if len(frames) < 6 or frames[0] != VERSION:
        return Verdict(None, Reason.MALFORMED)
    request, domain, address, mechanism = frames[1], frames[2], frames[3], frames[5]
    said = {"mechanism": _printable(mechanism), "address": _printable(address)}
    if mechanism != CURVE:
        return _refuse(request, Reason.MECHANISM, **said)
    if len(frames) != 7 or len(frames[6]) != KEY_BYTES:
        return _refuse(request, Reason.MALFORMED, **said)
    key = z85.encode(frames[6])
    said["key"] = key
    roles = domains.get(domain.decode("ascii", "replace"))
    if roles is None:
        return _refuse(request, Reason.DOMAIN, **said)
    if key in probes:
        return Verdict(_answer(request, b"200", b"OK", b""), None, **said)
    peer = peers.get(key)
    if peer is None:
        return _refuse(request, Reason.KEY, **said)
    if roles.isdisjoint(peer.roles):
        return _refuse(request, Reason.ROLE, **said)
    return Verdict(_answer(request, b"200", b"OK", key.encode()), None, **said)


def put_off(answer: tuple[bytes, ...] | None) -> tuple[bytes, ...] | None:
    """The answer to one who fails too often, in place of a refusal.

    At a 300 ("temporary", RFC 27) libzmq says nothing to the peer and closes the connection.
    """
    return None if answer is None else _answer(answer[1], b"300", b"refused", b"")


def _refuse(request: bytes, reason: Reason, **said: str) -> Verdict:
    # The peer learns nothing but that it is refused.
    return Verdict(_answer(request, b"400", b"refused", b""), reason, **said)


def _answer(request: bytes, code: bytes, text: bytes, user: bytes) -> tuple[bytes, ...]:
    return (VERSION, request, code, text, user, b"")


def _printable(text: bytes) -> str:
    shown = text[:SHOWN_CHARACTERS].decode("ascii", "replace")
    return "".join(c if c.isprintable() else "?" for c in shown) or "-"
