"""Links in every state, for the tests of links: our node is "me", the other one "peer"."""

from __future__ import annotations

from transport.greeting import LocalNode
from transport.link import Link
from transport.parcels import Beat, Hello
from transport.session import WINDOW, Session

ONE, TWO = b"1" * 16, b"2" * 16
BOOT, NEW_BOOT = b"b" * 16, b"n" * 16
KEY = "the peer's key"
BEAT = Beat(0, 0, 0)


def peer_hello(
    session: bytes = ONE, received: int = 0, boot: bytes = BOOT, node: str = "peer"
) -> Hello:
    return LocalNode(node, boot, "data").hello(session, received, WINDOW)


def new(name: str = "me", window: tuple[int, int] = WINDOW) -> Link[int]:
    return Link(LocalNode(name, b"m" * 16, "data"), Session(window))


def greeting(name: str = "me") -> Link[int]:
    link = new(name)
    link.dialled("first", 0.0, key=KEY, fresh=ONE)
    return link


def ready(name: str = "me", window: tuple[int, int] = WINDOW) -> Link[int]:
    """Accepted at 0 on connection "first", as the session ONE; parcels and events are taken."""
    link = new(name, window)
    link.accepted("first", peer_hello(), 0.0, key=KEY)
    link.parcels(0.0)
    link.events()
    return link


def ticked(link: Link[int], *times: float) -> Link[int]:
    """The same link; a tick that is missing would look like a stop of this process."""
    for at in times:
        link.tick(at)
    return link


def silent(name: str = "me") -> Link[int]:
    return ticked(ready(name), 1.0, 2.0, 3.0)


def cut(name: str = "me") -> Link[int]:
    link = ready(name)
    link.closed("first", 0.0)
    link.events()
    return link


def gone(name: str = "me") -> Link[int]:
    link = ready(name)
    link.close()
    link.parcels(0.0)
    link.events()
    return link
