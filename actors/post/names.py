"""Which key speaks under which name: as the allow-list says, else whoever had the name first."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from actors.post.parking import Violation
from transport.events import ByeCode

if TYPE_CHECKING:
    from transport.allowed import Allowed
    from transport.endpoint import Connection


class Names:
    """The names of the nodes that one system has met; any thread."""

    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed
        self._lock = threading.Lock()  # leaf; guards what follows
        self._pinned: dict[str, str] = {}  # key by node; the name that a key had last comes last

    def of(self, key: str) -> str | None:
        """The name that a key spoke under last."""
        with self._lock:
            return next((node for node, its in reversed(self._pinned.items()) if its == key), None)

    def check(self, node: str, connection: Connection) -> None:
        """See that a key speaks under its own name: that of the allow-list, else its first one.

        Several keys may stand in the list under one name, while the old one is replaced.

        Raises:
            Violation: the name belongs to another key.
        """
        key, peers = connection.key, self._allowed.peers
        listed = peers.get(key)
        if listed is not None and listed.name != node:
            raise Violation(f"the key of {listed.name!r} speaks as {node!r}", ByeCode.NAME)
        if listed is None and key and any(peer.name == node for peer in peers.values()):
            raise Violation(f"the name {node!r} belongs to a key of the allow-list", ByeCode.NAME)
        with self._lock:
            known = self._pinned.get(node, key)
            if known != key and (listed is None or (known in peers and peers[known].name != node)):
                raise Violation(f"the name {node!r} belongs to another key", ByeCode.NAME)
            self._pinned.pop(node, None)
            self._pinned[node] = key
