"""The part of msgpack that is used: no maps, no extensions, text in UTF-8.

The only module that knows the library. What is packed here is what `transport.layouts` and the
rows of envelopes and parcels consist of; what is unpacked is checked by those. All functions are
pure and may be called from any thread.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

from msgpack import Packer, unpackb

from transport.errors import Undecodable
from transport.limits import DEPTH_LIMIT, NODE_LIMIT, SURVEYED_BYTES, survey

__all__ = ["NO_MSGPACK", "pack", "unpack", "unpacked"]

NO_MSGPACK: Final = "is not msgpack without maps and extensions"

# Packers that nobody uses at the moment. One is made in a microsecond and holds 256 KiB, so they
# are kept; taking one from a list and putting it back is atomic, which a shared packer is not.
_idle: Final[list[Packer]] = []


def pack(value: object) -> bytes:
    """The bytes of a value. Raises what msgpack raises."""
    try:
        packer = _idle.pop()
    except IndexError:
        packer = Packer()
    packed: bytes = packer.pack(value)
    _idle.append(packer)  # after an error it is dropped
    return packed


def unpack(data: bytes, what: str, *, nodes: int = NODE_LIMIT, depth: int = DEPTH_LIMIT) -> Any:
    """The value of bytes that came from outside, which may still be any value.

    Args:
        data: Of any size.
        what: Named in errors.
        nodes: Values it may have.
        depth: Arrays in each other it may have.

    Raises:
        OverLimit: It has more; seen before it is unpacked.
        Undecodable: It is none.
    """
    if len(data) > SURVEYED_BYTES:
        survey(data, what, nodes=nodes, depth=depth)
    try:
        return unpacked(data)
    except Exception:  # noqa: BLE001  # msgpack has a dozen ways to say it, and texts that quote
        raise Undecodable(what, NO_MSGPACK) from None


def unpacked(data: bytes) -> Any:  # Any: whatever the peer packed
    """As `unpack`, of few bytes: no limit can be broken. Raises what msgpack raises."""
    # The hook for extensions runs for those of length 0, which the limit lets through.
    return unpackb(data, use_list=False, object_pairs_hook=_refuse, ext_hook=_refuse, max_ext_len=0)


def _refuse(*_: object) -> NoReturn:
    raise ValueError("no such type on this wire")
