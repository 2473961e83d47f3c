"""The Hello: what this side says of itself, and which peers it refuses.

Source: reliability.md M12 and G13: a peer that shares no protocol version is refused before
anything took effect, and told both ranges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from transport.address import Address
from transport.errors import AddressError, PeerViolation
from transport.events import ByeCode
from transport.parcels import Hello

__all__ = ["FRAME_BYTES", "ID_BYTES", "PROTOCOLS", "LocalNode", "judge"]

PROTOCOLS: Final = (1, 1)  # what this program speaks
ID_BYTES: Final = 16  # of boot and session ids
FRAME_BYTES: Final = 1024 * 1024  # what every node must take as one frame in protocol 1


@dataclass(frozen=True, slots=True)
class LocalNode:
    """What this side says of itself in every Hello; attributes as in `Hello`."""

    node: str
    boot: bytes
    channel: str
    build: str = ""
    protocols: tuple[int, int] = PROTOCOLS
    endpoints: tuple[tuple[str, str], ...] = ()

    def hello(self, session: bytes, received: int, window: tuple[int, int]) -> Hello:
        """The Hello of one connection."""
        return Hello(
            protocols=self.protocols,
            build=self.build,
            node=self.node,
            boot=self.boot,
            session=session,
            channel=self.channel,
            received=received,
            window=window,
            frame_limit=FRAME_BYTES,
            endpoints=self.endpoints,
        )


def judge(hello: Hello, local: LocalNode, peer: str | None) -> int:
    """Say which protocol version to speak with a node that greets like this.

    Args:
        hello: What it says.
        local: Who hears it.
        peer: Name of the node it must be; None: any.

    Returns:
        The highest version both speak.

    Raises:
        PeerViolation: It is refused; `code` and text are for the Bye.
    """
    low, high = local.protocols
    their_low, their_high = hello.protocols
    protocol = min(high, their_high)
    if protocol < max(low, their_low):
        raise PeerViolation(
            ByeCode.VERSION,
            f"this side speaks protocol {low} to {high}, yours {their_low} to {their_high}",
        )
    _judge_name(hello.node, local.node, peer)
    if hello.channel != local.channel:
        raise PeerViolation(ByeCode.CHANNEL, f"this is the {local.channel} endpoint")
    if len(hello.boot) != ID_BYTES or len(hello.session) != ID_BYTES or hello.received < 0:
        raise PeerViolation(
            ByeCode.PROTOCOL,
            f"boot and session are {ID_BYTES} bytes each, received is a number from 0",
        )
    messages, size = hello.window
    if messages < 1 or min(size, hello.frame_limit) < FRAME_BYTES:
        raise PeerViolation(
            ByeCode.LIMITS,
            f"a window of {messages} envelopes and {size} bytes, in frames of up to "
            f"{hello.frame_limit} bytes, must hold one frame of {FRAME_BYTES} bytes",
        )
    return protocol


def _judge_name(node: str, own: str, peer: str | None) -> None:
    try:
        Address(node, "a")
    except AddressError:
        raise PeerViolation(ByeCode.NAME, "that is not the name of a node") from None
    if node == own:
        raise PeerViolation(ByeCode.NAME, f"this node itself is called {node}")
    if peer not in {None, node}:
        raise PeerViolation(ByeCode.IDENTITY, f"this link belongs to {peer}, not to {node}")
