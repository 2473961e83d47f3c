"""The post office of mob-actors: addresses, messages and (in later steps) the wire between nodes.

Knows nothing of actors. `transport.message` is the place to start reading.
"""

from __future__ import annotations

from transport.address import Address
from transport.errors import AddressError, MessageTypeError, TagInUse, TransportError
from transport.frozen_map import FrozenMap
from transport.message import Message, Request, find_message, is_current
from transport.size import local_size

__all__ = [
    "Address",
    "AddressError",
    "FrozenMap",
    "Message",
    "MessageTypeError",
    "Request",
    "TagInUse",
    "TransportError",
    "find_message",
    "is_current",
    "local_size",
]
