"""A branch: one channel of a node on its loop; an endpoint, and a line to each peer.

*control* lives on the system loop, *data* on the member loop. Mail leaves by the loop it was sent
on, so mail between members crosses no thread, and what the system's actors say never waits behind
data. Everything here runs on the branch's loop, unless it says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from actors.kernel.logs import logger_for
from actors.post.line import Line
from actors.post.parking import Violation
from transport.allowed import Peer, Role
from transport.codec import pack_parcel, unpack_parcel
from transport.endpoint import Connection, Dialled, Endpoint
from transport.errors import RemoteProtocolError
from transport.events import ByeCode
from transport.guard import Guard, LocalGuard
from transport.parcel_rows import TEXT_CHARACTERS
from transport.parcels import Bye, Hello
from transport.security import Client, Local, Server
from transport.states import LinkState

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Mapping

    from actors.kernel.dispatch import Dispatcher
    from actors.post.office import Office
    from transport.events import Gone, Ready
    from transport.greeting import LocalNode
    from transport.security import Context
    from transport.socket_roles import Attempt, Handshake

logger = logger_for(__name__)

LINES: Final = 4_096  # peers of one node; a stranger cannot make one
FIRST_REDIAL_S: Final = 0.1
LAST_REDIAL_S: Final = 5.0


@dataclass(slots=True)
class Destination:
    """Somebody this side dials, and dials again."""

    address: str
    role: Client | Local
    peer: Peer
    line: Line
    pause_s: float = FIRST_REDIAL_S
    connection: Dialled | None = None  # the last one
    renamed: str = ""  # what the link said of another name that was met there


class Branch:
    """One channel of a node."""

    def __init__(
        self, office: Office, channel: str, dispatcher: Dispatcher, member: Dispatcher
    ) -> None:
        self.office = office
        self.channel = channel
        self.dispatcher = dispatcher
        self.loop: AbstractEventLoop = dispatcher.loop
        self.lines: dict[str, Line] = {}  # by node; read by any thread
        self.violations = 0
        self.local: LocalNode = office.local(channel)
        self.endpoint: Endpoint  # made by `open`, on the loop
        self._member = member
        self._by_connection: dict[Connection, Line] = {}
        self._destinations: dict[Line, Destination] = {}
        self._closing = False

    def open(self, context: Context) -> None:
        """Make the endpoint, in the place of one that is closed; the first call on the loop."""
        self.endpoint = Endpoint(self.loop, context, self, self.office.refusals)

    def listen(
        self,
        address: str,
        role: Server | Local,
        guard: Guard | LocalGuard,
        others: Mapping[str, str],
    ) -> str:
        """Listen; the address that was got. Raises as `Endpoint.listen`.

        Args:
            others: Addresses of the channels that listen already. The Hellos say them from this
                turn on: a node that starts again is dialled, and greets, at once.
        """
        bound = self.endpoint.listen(address, role, guard)
        endpoints = tuple(sorted({**others, self.channel: bound}.items()))
        self.local = replace(self.local, endpoints=endpoints)
        return bound

    def shut(self, context: Context) -> None:
        """Undo `listen`. The other sockets are made anew, too: who was dialled is dialled again."""
        self.endpoint.close()
        self.local = self.office.local(self.channel)
        self.open(context)
        for connection in tuple(self._by_connection):
            self.closed(connection)

    def announce(self) -> None:
        """The self-test is over."""
        self.endpoint.announce()

    def now(self) -> float:
        """Seconds on the clock of links, which is that of the loop."""
        return self.loop.time()

    def progress(self) -> tuple[int, bool]:
        """Turns of the member loop, and whether it has something to do; from any loop."""
        member = self._member
        return member.beats, member.current is not None or bool(member.ready)

    # -- dialling ---------------------------------------------------------------------------

    def dial(self, address: str, role: Client | Local, peer: Peer, node: str | None) -> Line:
        """Connect to somebody, and again whenever the connection ends, until `close`."""
        line = self.lines.get(node) if node is not None else None
        if line is None and node is None:
            same = self.destination(address)
            line = self._local(address) if same is None else same.line
        if line is None:
            line = Line(self, node)
            if node is not None:
                self.lines[node] = line
        known = self._destinations.get(line)
        if known is None or known.address != address:  # its other port is new with every start
            self._destinations[line] = Destination(address, role, peer, line)
            self._dial(line, moved=known is not None)
        return line

    def _local(self, address: str) -> Line | None:
        """The line to a process of this machine that dialled this side and listens there."""
        if not address.startswith("ipc://"):
            return None
        lines = self.lines.values()
        return next((line for line in lines if address in line.addresses), None)

    def destination(self, address: str) -> Destination | None:
        """Who is dialled at an address; any thread."""
        return next((each for each in self.destinations() if each.address == address), None)

    def destinations(self) -> tuple[Destination, ...]:
        """Whom this side dials; any thread."""
        return tuple(self._destinations.copy().values())

    def give_up(self, line: Line) -> None:
        """Dial somebody no more."""
        self._destinations.pop(line, None)
        line.close("given up")

    def forget_renamed(self, address: str) -> str | None:
        """Dial a node no more that has another name now; the one that it had, if it is so."""
        destination = self.destination(address)
        if destination is None or not destination.renamed:
            return None
        line = destination.line
        self.leave(line, f"{address} answers under another name: {destination.renamed}")
        return line.node

    def leave(self, line: Line, why: str) -> None:
        """Dial somebody no more, and tell whoever waits."""
        self.give_up(line)
        line.addresses = frozenset()
        line.abandon(why)

    def leave_node(self, node: str, why: str) -> None:
        """The same, by its name."""
        line = self.lines.get(node)
        if line is not None and line in self._destinations:
            self.leave(line, why)

    def attempt(self, line: Line | None) -> Attempt | Handshake | None:
        """How far dialling somebody came; any thread."""
        destination = None if line is None else self._destinations.get(line)
        connection = None if destination is None else destination.connection
        return None if connection is None else connection.attempt

    def renamed(self, node: str) -> str | None:
        """Why a name leads to nobody, if another node has its address now; any thread."""
        line = self.lines.get(node)
        destination = None if line is None else self._destinations.get(line)
        if destination is None or not destination.renamed:
            return None
        return f"at {destination.address} is a node of another name now: {destination.renamed}"

    def _dial(self, line: Line, *, moved: bool = False) -> None:
        """Connect to who has no connection.

        Args:
            moved: The address is a new one. What does not work at the old one, an attempt above
                all, gives way: the link says goodbye to it, and its session is resumed.
        """
        destination = self._destinations.get(line)
        if destination is None or self._closing:
            return
        if line.connection is not None and not (moved and line.link.state is not LinkState.READY):
            return
        connection = destination.connection = self.endpoint.dial(
            destination.address, destination.role, destination.peer, after=destination.connection
        )
        self._by_connection[connection] = line
        line.dialled(connection)

    def _redial(self, line: Line) -> None:
        destination = self._destinations.get(line)
        if destination is not None and not self._closing:
            pause, destination.pause_s = (
                destination.pause_s,
                min(2 * destination.pause_s, LAST_REDIAL_S),
            )
            self.loop.call_later(pause, self._dial, line)

    # -- what the endpoint says -------------------------------------------------------------

    def received(self, connection: Connection, frame: bytes) -> bool:
        """A frame came; what it made ready is served at once, a turn of the loop earlier.

        False when that takes longer than one turn may: what is in the socket waits.
        """
        dispatcher = self.dispatcher
        idle = not dispatcher.awake  # else a drain is on its way
        dispatcher.awake = True
        try:
            self._received(connection, frame)
        finally:
            if idle:
                dispatcher.drain()
        return not dispatcher.awake

    def _received(self, connection: Connection, frame: bytes) -> None:
        line = self._by_connection.get(connection)
        try:
            parcel = unpack_parcel(frame)
            if line is not None:
                line.receive(connection, parcel)
            elif isinstance(parcel, Hello):
                self._greet(connection, parcel)
            else:
                raise Violation("the first parcel of a connection is a Hello")
        except (RemoteProtocolError, Violation) as error:
            self._violated(connection, line, error)
        except Exception as error:
            logger.exception("a frame of %s could not be handled", connection.peer.name)
            self._violated(connection, line, error)

    def _greet(self, connection: Connection, hello: Hello) -> None:
        self.office.names.check(hello.node, connection)
        line = self.lines.get(hello.node) or self._unnamed(connection.key, hello)
        if line is not None and not connection.key and line.is_held_by_another(hello):
            # Nothing but the name tells local processes apart, and one that has ended is closed.
            raise Violation(f"a process of the name {hello.node!r} is connected", ByeCode.NAME)
        if (
            line is not None
            and line.connection is None
            and line.link.key not in {None, connection.key}
        ):
            line.close("its node has another key now")  # `check_name` let it have the name
        if line is None:
            if len(self.lines) >= LINES:
                raise Violation(f"{LINES} peers are connected already")
            line = Line(self, hello.node)
        self._by_connection[connection] = line
        line.accepted(connection, hello)
        if line.link.state in (LinkState.READY, LinkState.SILENT):
            self.lines.setdefault(hello.node, line)
            line.connection = connection

    def _unnamed(self, key: str, hello: Hello) -> Line | None:
        """The line to who is dialled and has not said its name: the two dial each other."""
        addresses = {address for _, address in hello.endpoints}
        found = (
            each.line
            for each in self._destinations.values()
            if not each.line.node and (_is_of(each, key) if key else each.address in addresses)
        )
        return next(found, None)

    def closed(self, connection: Connection) -> None:
        """A connection has ended."""
        line = self._by_connection.pop(connection, None)
        if line is not None:
            if line.connection is connection:
                line.connection = None
            line.closed(connection)
            if line.connection is None:
                self._redial(line)

    def _violated(self, connection: Connection, line: Line | None, error: Exception) -> None:
        """The peer broke a rule: that link ends, the others stay."""
        self.violations += 1
        who = connection.peer.name if line is None or not line.node else line.node
        logger.warning("the link to %s ends: %s", who, error)
        code = error.code if isinstance(error, Violation) else ByeCode.PROTOCOL
        text = str(error)[:TEXT_CHARACTERS]
        if line is not None:
            line.close(text, code)
        elif connection.open:
            self.endpoint.send(connection, pack_parcel(Bye(code.value, text)))
        self.endpoint.hang_up(connection)
        self.closed(connection)

    # -- what the lines say -----------------------------------------------------------------

    def hung_up(self, line: Line, connection: Connection) -> None:
        """The link has done with a connection."""
        self.endpoint.hang_up(connection)
        self._by_connection.pop(connection, None)
        if line.connection is connection:
            line.connection = None
            self._redial(line)

    def ready(self, line: Line, event: Ready) -> None:
        """Hellos are exchanged.

        Raises:
            Violation: who was dialled has the name of a node with another key.
        """
        destination = self._destinations.get(line)
        if destination is not None and line.connection is not None:
            self.office.names.check(line.node, line.connection)
        self.lines[line.node] = line
        if destination is not None:
            destination.pause_s, destination.renamed = FIRST_REDIAL_S, ""
        self.office.ready(self, line, event, destination)

    def gone(self, line: Line, event: Gone) -> None:
        """A link is over; whoever is dialled is dialled again."""
        line.connection = None
        destination = self._destinations.get(line)
        if destination is None:
            line.abandon(f"node {line.node} is gone")
            return
        if event.by_peer and event.code != ByeCode.CLOSING:
            self.office.turned_away(line, destination.address, event)
        elif not event.by_peer and event.code == ByeCode.IDENTITY:
            destination.renamed = event.text
            self.office.met_another(destination.address, self.renamed(line.node) or event.text)
        self._redial(line)

    def dials(self, line: Line) -> bool:
        """Whether this side dials a peer; any thread."""
        return line in self._destinations

    def flooded(self, line: Line) -> None:
        """A peer does not take its answers."""
        connection = line.connection
        if connection is not None:
            self._violated(connection, line, Violation("it asks, and does not take its answers"))

    # -- ending -----------------------------------------------------------------------------

    def cut(self, key: str) -> None:
        """Cut whoever has a key that was revoked."""
        for connection, line in tuple(self._by_connection.items()):
            if connection.key == key:
                line.close("revoked")
        for line, each in tuple(self._destinations.items()):
            if _is_of(each, key):
                self.give_up(line)
        self.endpoint.cut_user(key)

    def close(self, text: str) -> None:
        """Say goodbye to every peer and close the sockets."""
        self._closing = True
        for line in dict.fromkeys((*self.lines.values(), *self._by_connection.values())):
            line.flush()  # what was said before leaves before
            line.close(text)
            line.abandon(text)
        self.endpoint.close()


def _is_of(destination: Destination, key: str) -> bool:
    return isinstance(destination.role, Client) and destination.role.server_key == key


def local_peer(name: str) -> Peer:
    """Who is at the other end of a local socket: this user, who may do everything."""
    return Peer("", name, frozenset(Role))
