"""The post office of mob-actors: addresses, messages and (in later steps) the wire between nodes.

Knows nothing of actors. `transport.message` is the place to start reading.
"""

from __future__ import annotations

from transport.address import Address
from transport.errors import (
    AddressError,
    LocalProtocolError,
    MessageTypeError,
    RemoteProtocolError,
    RowTooBig,
    TagInUse,
    TransportError,
    WouldBlock,
)
from transport.frozen_map import FrozenMap
from transport.message import Message, Request, find_message, is_current
from transport.size import local_size

__all__ = [
    "Address",
    "AddressError",
    "FrozenMap",
    "LocalProtocolError",
    "Message",
    "MessageTypeError",
    "RemoteProtocolError",
    "Request",
    "RowTooBig",
    "TagInUse",
    "TransportError",
    "WouldBlock",
    "find_message",
    "is_current",
    "local_size",
]
