"""The office: what one system has of the network, and the kernel's way to other nodes.

    office = Office(realm, keys=…, allowed=…)
    office.listen("tcp://127.0.0.1:0")          both channels; a stranger is refused, or no start
    office.connect("tcp://…", key="…")          blocks until both channels are ready
    office.recipient(Address("node", "actor"))  what a ref holds

Any thread may call it; what concerns sockets is done by the branches, on their loops.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar
from weakref import WeakValueDictionary

from actors.kernel.counters import Tally
from actors.kernel.errors import AskTimeout, KernelError, UnknownAddress
from actors.kernel.future import ThreadReply
from actors.post.branch import Branch, local_peer
from actors.post.names import Names
from actors.post.outward import RemoteBox
from actors.post.reasons import why_unanswered
from actors.post.report import LinkReport
from transport.allowed import Allowed, Peer, Role
from transport.endpoint import end_context, new_context
from transport.endpoint_text import Unavailable, another_port, is_own, same_host
from transport.greeting import LocalNode
from transport.guard import Guard, LocalGuard
from transport.ipc_paths import IpcPath, PathInUse, check_to_dial
from transport.keys import public_key_problem
from transport.refusals import Refusals
from transport.security import Authenticator, Client, Local, SecurityError, Server
from transport.self_test import self_test

if TYPE_CHECKING:
    from actors.kernel.dispatch import Dispatcher
    from actors.kernel.realm import Realm
    from actors.post.branch import Destination
    from actors.post.line import Line
    from transport.address import Address
    from transport.events import Gone, Ready
    from transport.keys import KeyPair

R = TypeVar("R")
BOXES: Final = 4_096  # actors of other nodes that are remembered although nobody has their refs
CALL_S: Final = 10.0  # what a branch may take to open or close a socket
BUILD: Final = "mob-actors"


class Renamed(KernelError):
    """Where a node was is one of another name."""


class Office:
    """The network side of one `ActorSystem`."""

    def __init__(self, realm: Realm, *, keys: KeyPair | None, allowed: Allowed | None) -> None:
        self.realm = realm
        self.keys = keys
        self.allowed = allowed if allowed is not None else Allowed()
        self.refused = Tally()  # messages that were not taken; their senders were told
        self.refusals = Refusals()
        self.names = Names(self.allowed)
        self._boot = secrets.token_bytes(16)
        self._endpoints: dict[str, str] = {}  # of this node, by channel
        self._context = new_context()
        self._authenticator: Authenticator | None = None
        self._lock = threading.Lock()  # leaf; guards what follows
        self._boxes: WeakValueDictionary[str, RemoteBox] = WeakValueDictionary()
        # Kept although nobody holds a ref: a box knows what is on its way to its actor.
        self._recent: OrderedDict[str, RemoteBox] = OrderedDict()
        self._waiting: dict[str, ThreadReply[str]] = {}  # connects by address of the control
        self._paths: list[IpcPath] = []
        self._closed = False
        member = realm.scheduler.dispatcher("member")
        self.control = Branch(self, "control", realm.scheduler.dispatcher("system"), member)
        self.data = Branch(self, "data", member, member)
        for branch in self.branches:
            self._on(branch, partial(branch.open, self._context))
        self._forget = self.allowed.on_revoked(lambda peer: self._cut(peer.key))

    @property
    def branches(self) -> tuple[Branch, Branch]:
        """Control, then data."""
        return (self.control, self.data)

    def local(self, channel: str) -> LocalNode:
        """What the Hellos of a channel say while nothing listens."""
        return LocalNode(self.realm.name, self._boot, channel, BUILD)

    def _on(self, branch: Branch, work: Callable[[], R]) -> R:
        """Do something on a branch's loop and wait for it."""
        if branch.dispatcher.here():
            return work()
        return self._begin(branch, work).get(timeout=CALL_S)

    def _begin(self, branch: Branch, work: Callable[[], R]) -> ThreadReply[R]:
        """Do something on a branch's loop soon; not there."""
        done: ThreadReply[R] = ThreadReply(None, f"the {branch.channel} loop")

        def run() -> None:
            try:
                done.resolve(work(), None)
            except BaseException as error:  # noqa: BLE001 - it is raised again below
                done.resolve(None, error)

        branch.dispatcher.call(run)
        return done

    # -- listening --------------------------------------------------------------------------

    def listen(self, address: str, *, public: bool = False) -> str:
        """Listen on both channels; returns the address of the control one, for `connect`.

        Args:
            address: `tcp://HOST:PORT` (0 or `*` for a free port; the data channel takes another
                free one), or `ipc` for a path of this user's.
            public: Whether an address that the whole world may reach is meant.

        Raises:
            SecurityError: no keys for tcp; the address and its use do not fit; the self-test
                failed.
            KernelError: it listens already, or another system of this user does so by this name;
                the port is in use, or the host is not of this machine.
        """
        if self._endpoints:
            raise KernelError(f"node {self.realm.name!r} listens already")
        found: dict[str, str] = {}
        try:
            doors = [(branch, *self._door(branch, address, public)) for branch in self.branches]
            for branch, role, guard, where in reversed(doors):  # control tells where data is
                listen = partial(branch.listen, where, role, guard, found)
                found[branch.channel] = self._on(branch, listen)
            if self._authenticator is not None and self.keys is not None:
                for bound in found.values():
                    self_test(self._authenticator, bound, self.keys.public)
        except BaseException as error:
            self._shut(found)
            if isinstance(error, Unavailable):  # of the one that was given, whichever channel
                raise KernelError(str(error.of(address)), hint=error.hint) from error
            raise
        self._endpoints.update(found)
        for branch in self.branches:
            self._on(branch, branch.announce)
        return found["control"]

    def _door(
        self, branch: Branch, address: str, public: bool
    ) -> tuple[Server | Local, Guard | LocalGuard, str]:
        if address == "ipc":
            path = self._claimed(branch.channel)
            return Local(), LocalGuard(local_peer("this user")), path.endpoint
        if self.keys is None:
            raise SecurityError(
                f"'{address}' needs keys: tcp is encrypted, always",
                "make them with `mob keys new NAME` and give keys=…",
            )
        if self._authenticator is None:
            self._authenticator = Authenticator(self._context, self.allowed, refusals=self.refusals)
        where = address if branch is self.control else another_port(address)
        return Server(self.keys, self._authenticator, public=public), Guard(self.allowed), where

    def _claimed(self, channel: str) -> IpcPath:
        """The path of a channel, for this system alone."""
        try:
            path = IpcPath(self.realm.name, channel)
        except PathInUse as error:
            name = self.realm.name
            end = "shut that one down" if error.holder == os.getpid() else error.hint
            raise KernelError(
                f"another system listens as node {name!r} already: {error}",
                hint=f"{end}, or give one of the two another name: ActorSystem('…')",
            ) from error
        self._paths.append(path)
        return path

    def _shut(self, channels: Collection[str]) -> None:
        """Leave no door open behind a `listen` that failed."""
        for branch in self.branches:
            if branch.channel in channels:
                self._on(branch, partial(branch.shut, self._context))
        while self._paths:
            self._paths.pop().release()

    @property
    def endpoint(self) -> str | None:
        """Where others connect to; None while nothing listens."""
        return self._endpoints.get("control")

    # -- connecting -------------------------------------------------------------------------

    def connect(self, address: str, *, key: str | None, timeout: float | None) -> str:
        """Connect to a node and wait until both channels are ready; returns its name.

        It is no other connection when there is one already, whoever made it.

        The connection is kept: it is made again whenever it ends, until the system shuts down.

        Raises:
            SecurityError: no keys, or the server's key is missing or none.
            FileRefused: others can write where the ipc address is.
            AskTimeout: nobody answered in time, and why, if that is known; it is tried no longer.
            KernelError: it is this node itself; or it turned this one away, and says why.
        """
        role, peer = self._caller(address, key)
        if any(is_own(address, own) for own in self._endpoints.values()):
            hint = "its own actors need no connection: system.ref('name')"
            raise KernelError(f"'{address}' is this node itself ({self.realm.name!r})", hint=hint)
        begun = time.monotonic()
        try:
            return self._connect(address, role, peer, key, timeout)
        except Renamed:  # who was there before is forgotten by the next attempt
            left = None if timeout is None else max(timeout - (time.monotonic() - begun), 0.1)
            return self._connect(address, role, peer, key, left)

    def _caller(self, address: str, key: str | None) -> tuple[Client | Local, Peer]:
        """As whom this node dials, and whom it expects."""
        if not address.startswith("tcp://"):
            check_to_dial(address)
            return Local(), local_peer("this user")
        if self.keys is None or key is None:
            missing = "keys of this node" if self.keys is None else "the key of that node"
            raise SecurityError(
                f"'{address}' needs {missing}: tcp is encrypted, always",
                "give ActorSystem(keys=…) and connect(…, key=…); `mob keys show` prints it",
            )
        problem = public_key_problem(key)
        if problem is not None:
            hint = "copy it as `mob keys show NAME` prints it over there"
            raise SecurityError(f"`key` of the server at '{address}' {problem}", hint)
        known = self.allowed.get(key)
        stranger = Peer(key, "dialled", frozenset({Role.HOST}))
        return Client(self.keys, key), stranger if known is None else known

    def _connect(
        self,
        address: str,
        role: Client | Local,
        peer: Peer,
        key: str | None,
        timeout: float | None,
    ) -> str:
        waiting: ThreadReply[str] = ThreadReply(self.realm.scheduler, address)
        former = self._on(self.control, lambda: self.control.forget_renamed(address))
        if former is not None:
            self._on(self.data, partial(self.data.leave_node, former, f"{address} is another node"))
        with self._lock:
            waiting = self._waiting.setdefault(address, waiting)
        kept = self.control.destination(address) is not None
        # A node that connected to this one is no stranger when it is dialled, too.
        node = None if kept or former is not None or not key else self.names.of(key)
        line = self._on(self.control, lambda: self.control.dial(address, role, peer, node))
        if line.node and self._is_connected(line.node):
            waiting.resolve(line.node, None)
        try:
            return waiting.get(timeout=timeout)
        except (AskTimeout, KernelError) as error:
            data = self.data.lines.get(line.node)
            why, hint = why_unanswered(
                self.control.attempt(line), self.data.attempt(data), half=line.state == "ready"
            )
            if not isinstance(error, Renamed) and not kept:  # else by an earlier call
                self._stop_dialling(line)
            if isinstance(error, AskTimeout):
                raise AskTimeout(address, timeout, why, hint=hint) from None
            raise
        finally:
            with self._lock:
                self._waiting.pop(address, None)

    def _stop_dialling(self, line: Line) -> None:
        self._on(self.control, lambda: self.control.give_up(line))
        # The control channel may have been ready, so that data was dialled, too.
        data = self.data.lines.get(line.node)
        if data is not None and self.control.lines.get(line.node) is line:
            self._on(self.data, partial(self.data.give_up, data))

    def ready(
        self, branch: Branch, line: Line, event: Ready, destination: Destination | None
    ) -> None:
        """A line is ready; on its loop. Who dialled the control channel dials data, too."""
        if branch is self.control and destination is not None:
            data = dict(event.hello.endpoints).get("data")
            if data is not None:
                address = same_host(destination.address, data)
                role, peer = destination.role, destination.peer
                self.data.dispatcher.call(lambda: self.data.dial(address, role, peer, line.node))
        if not self._is_connected(line.node):
            return
        with self._lock:
            waiting = tuple(self._waiting.items())
        for address, reply in waiting:
            dialled = self.control.destination(address)
            if dialled is not None and dialled.line.node == line.node:
                reply.resolve(line.node, None)

    def met_another(self, address: str, why: str) -> None:
        """Where a node is dialled is one of another name now."""
        with self._lock:
            waiting = self._waiting.get(address)
        if waiting is not None:
            waiting.resolve(None, Renamed(why))

    def turned_away(self, line: Line, address: str, event: Gone) -> None:
        """A node that is dialled ends the link, and not because it shuts down."""
        with self._lock:
            waiting = tuple(self._waiting.items())
        for dialled, reply in waiting:
            its = self.control.destination(dialled)
            if dialled == address or (its is not None and line.node and its.line.node == line.node):
                text = f"'{dialled}' turned this node away: {event.text or event.code}"
                reply.resolve(None, KernelError(text))

    def _is_connected(self, node: str) -> bool:
        """Whether both channels are ready."""
        lines = [branch.lines.get(node) for branch in self.branches]
        return all(line is not None and line.state == "ready" for line in lines)

    # -- refs -------------------------------------------------------------------------------

    def recipient(self, address: Address) -> RemoteBox:
        """What a ref of a remote actor holds; the same one for equal addresses.

        Raises:
            UnknownAddress: no connection to its node was ever made.
        """
        self._known(address.node, str(address))
        return self.box(address)

    def box(self, address: Address) -> RemoteBox:
        """The same, connected or not: it says so when it is used."""
        text = str(address)
        with self._lock:
            box = self._boxes.get(text)
            if box is None:
                box = self._boxes[text] = RemoteBox(self, address)
            self._recent[text] = box
            self._recent.move_to_end(text)
            if len(self._recent) > BOXES:
                self._recent.popitem(last=False)
        return box

    def line(self, address: str, node: str, loop: Dispatcher | None) -> Line:
        """The line that mail leaves by: control from the system loop, else data.

        Raises:
            UnknownAddress: no connection to the node was ever made.
        """
        branch = self.control if loop is self.control.dispatcher else self.data
        line = branch.lines.get(node)
        if line is None or self._closed:
            self._known(node, address)
            raise UnknownAddress(address, "the connection is not ready", hint="try again")
        if line.state != "ready":
            why = self.control.renamed(node)  # only that one is where it was
            if why is not None:
                hint = "connect again, for the node of that name: system.connect(address, key=…)"
                raise UnknownAddress(address, why, hint=hint)
            if line.state == "gone" and not branch.dials(line):
                why = "the node is gone, and this side has no address to dial"
                raise UnknownAddress(address, why, hint="connect, or wait until it is back")
        return line

    def _known(self, node: str, address: str) -> None:
        if self._closed:
            raise UnknownAddress(address, "this system is shutting down")
        if node not in self.control.lines and node not in self.data.lines:
            raise UnknownAddress(
                address,
                f"node {node!r} is not connected",
                hint="connect first: system.connect(address, key=…)",
            )

    # -- looking ----------------------------------------------------------------------------

    def links(self) -> tuple[LinkReport, ...]:
        """Every peer on every channel; exact when nothing moves."""
        reports = []
        for branch in self.branches:
            for line in tuple(branch.lines.values()):
                found = line.session.statistics
                reports.append(
                    LinkReport(
                        line.node,
                        branch.channel,
                        line.state,
                        found.sent,
                        found.acknowledged,
                        found.ambiguous,
                        found.in_flight,
                        found.received,
                        found.duplicates,
                        len(line.asked),
                        len(line.inward.parking),
                    )
                )
        return tuple(sorted(reports, key=lambda each: (each.node, each.channel)))

    def parked(self) -> int:
        """Messages that came and wait for room in a mailbox."""
        lines = (line for branch in self.branches for line in tuple(branch.lines.values()))
        return sum(len(line.inward.parking) for line in lines)

    # -- ending -----------------------------------------------------------------------------

    def _cut(self, key: str) -> None:
        for branch in self.branches:
            branch.dispatcher.call(partial(branch.cut, key))

    def close(self, patience_s: float) -> None:
        """Say goodbye and close everything; twice does nothing. Not on a loop.

        Args:
            patience_s: For both loops to do so; what a held one keeps open ends with the context.
        """
        if self._closed:
            return
        self._closed = True
        self._forget()
        until = time.monotonic() + patience_s
        closing = [
            self._begin(branch, partial(branch.close, f"{self.realm.name} shuts down"))
            for branch in self.branches
        ]
        for done in closing:
            with suppress(AskTimeout):  # held
                done.get(timeout=max(until - time.monotonic(), 0.0))
        if self._authenticator is not None:
            self._authenticator.close()
        end_context(self._context)
        for path in self._paths:
            path.release()
