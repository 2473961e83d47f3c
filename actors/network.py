"""The network side of an `ActorSystem`: made, and imported, when it is used first.

A system that never leaves its process pays nothing for it.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from actors.kernel.arguments import check_seconds, check_text
from actors.kernel.current import ON_LOOP
from actors.kernel.errors import KernelError, LocalOnly, UnknownAddress, WouldDeadlock
from actors.kernel.gone import Gone
from actors.kernel.ref import ActorRef
from transport.address import Address
from transport.endpoint_text import check_to_connect, check_to_listen

if TYPE_CHECKING:
    import pykka

    from actors.kernel.ports import Wire
    from actors.kernel.realm import Realm
    from actors.post.local_wire import Wires
    from actors.post.office import Office
    from actors.post.report import LinkReport
    from transport.allowed import Allowed
    from transport.keys import KeyPair


def wire_wanted() -> bool:
    """Whether MOB_WIRE asks every system of this process for a wire of its own."""
    return os.environ.get("MOB_WIRE", "") not in ("", "0")


class Network:
    """What a system has of the network. Any thread may call it.

    Args:
        real: Whether the system has loops of its own; a simulated world has no sockets.
        remote: The way to other nodes, instead of this.
    """

    def __init__(
        self,
        realm: Realm,
        *,
        real: bool,
        remote: Wire | None,
        keys: KeyPair | None,
        allowed: Allowed | None,
    ) -> None:
        self._realm = realm
        self._real = real
        self._remote = remote
        self._keys = keys
        self._allowed = allowed
        self._lock = threading.Lock()  # guards `office`; sockets are made while it is held
        self._closed = False
        realm.resolve = self.resolve
        self.office: Office | None = None
        self.wires: Wires | None = None

    def open_wire(self) -> None:
        """Have all typed messages of the system go through codec and ZeroMQ."""
        self._check_real("wire=True")
        from actors.post.local_wire import Wires, wired_cells

        self.wires = Wires(self._realm.scheduler)
        self._realm.make_cell = wired_cells(self.wires)

    def listen(self, address: str, *, public: bool) -> str:
        """See `ActorSystem.listen`."""
        check_text("address", address, "'ipc' or 'tcp://127.0.0.1:*'")
        check_to_listen(address)
        return self._opened().listen(address, public=public)

    def connect(self, address: str, *, key: str | None, timeout: float) -> str:
        """See `ActorSystem.connect`."""
        check_text("address", address, "what `listen` returned over there")
        if key is not None:
            check_text("key", key, "the 40 characters that `mob keys show` prints over there")
        check_seconds("timeout", timeout)
        check_to_connect(address)
        if ON_LOOP.dispatcher is not None:
            raise WouldDeadlock(f"connecting to {address}")
        return self._opened().connect(address, key=key, timeout=timeout)

    def ref(self, address: Address) -> pykka.ActorRef[Any]:
        """The ref of an actor on another node.

        Raises:
            UnknownAddress: there is no way to its node.
        """
        if self._remote is not None:
            return self._remote.ref(address)
        if self.office is None:
            name = self._realm.name
            raise UnknownAddress(
                str(address),
                f"node {address.node!r} is not this system ({name!r})",
                hint="connect to it first: system.connect(address, key=…)",
            )
        return ActorRef(self.office.recipient(address))

    def resolve(self, text: str) -> pykka.ActorRef[Any]:
        """What an address in a message becomes: a ref, whoever lives there, and if nobody does.

        Raises:
            AddressError: it is no address.
        """
        address = Address.parse(text)
        realm = self._realm
        if address.node == realm.name:
            resident = realm.actors.get(address.actor)
            return ActorRef(Gone(realm, text)) if resident is None else resident.ref
        if self._remote is not None:
            return self._remote.ref(address)
        if self.office is None:
            return ActorRef(Gone(realm, text))
        return ActorRef(self.office.box(address))

    def links(self) -> tuple[LinkReport, ...]:
        """See `ActorSystem.links`."""
        return () if self.office is None else self.office.links()

    def close(self, patience_s: float) -> None:
        """Say goodbye to the other nodes; while the loops still run."""
        with self._lock:
            self._closed = True
        if self.office is not None:
            self.office.close(patience_s)

    def close_wire(self) -> None:
        """Close the system's own wire; when the loops have ended."""
        if self.wires is not None:
            self.wires.close()

    def _opened(self) -> Office:
        self._realm.check_process()
        self._check_real("the network")
        with self._lock:
            if self._closed or self._realm.closing:
                raise KernelError(f"system {self._realm.name!r} is shutting down")
            if self.office is None:
                from actors.post.office import Office

                self.office = Office(self._realm, keys=self._keys, allowed=self._allowed)
                self._realm.parked = self.office.parked
            return self.office

    def _check_real(self, what: str) -> None:
        if not self._real:
            address = f"mob://{self._realm.name}"
            raise LocalOnly(address, what, hint="a simulated world has no sockets")
