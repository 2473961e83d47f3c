"""Who may speak over ZeroMQ: CURVE keys, the ZAP handler, hardened sockets, the guard.

The order of things in a process, each of which refuses when it cannot keep its promise::

    authenticator = Authenticator(context, allowed)             before any listening socket
    listen(socket, Server(keys, authenticator), "tcp://...")
    self_test(authenticator, endpoint, keys.public)             a stranger is refused, or no start
    guard.admits(frame)                                         on every message

A CURVE server *fails open*: without a handler, or with one that was stopped, libzmq lets in whoever
knows the server's public key, unless a domain is set and enforced. `harden` sets both on every
server, and there is no way here to listen or dial over tcp without CURVE. (reference/reliability.md
§5.4, findings F1-F6.)
"""

from __future__ import annotations

import logging
import socket as sockets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self

import zmq

from transport import zap
from transport.allowed import Allowed, Role
from transport.failures import Failures
from transport.keys import KeyPair, public_key_problem, read_secret_key
from transport.private_files import FileRefused
from transport.reach import SecurityError, check_local, speaks_ipv6, tcp_host
from transport.refusals import Reason, Refusals
from transport.socket_roles import Client, Handshake, Local, Server
from transport.watch import Context, Socket, Watch

__all__ = [
    "FRAME_LIMIT_BYTES",
    "Authenticator",
    "Client",
    "Context",
    "Handshake",
    "Local",
    "SecurityError",
    "Server",
    "Socket",
    "Watch",
    "curve_version",
    "dial",
    "harden",
    "listen",
    "load_key_pair",
    "new_key_pair",
    "probe",
]

FRAME_LIMIT_BYTES: Final = 1 << 20
# What CURVE adds to a frame: "\x07MESSAGE", nonce, authenticator, flags. libzmq compares its limit
# with what is on the wire, so that without this a frame of the full size would end the connection.
CURVE_OVERHEAD_BYTES: Final = 8 + 8 + 16 + 1
ZAP_ENDPOINT: Final = "inproc://zeromq.zap.01"  # RFC 27
BATCH: Final = 64  # requests that are answered before the bell is looked at again

_OPTIONS: Final[Mapping[int, int]] = {
    zmq.LINGER: 0,  # what must not be lost was made durable first; closing never waits
    zmq.MAXMSGSIZE: FRAME_LIMIT_BYTES + CURVE_OVERHEAD_BYTES,
    zmq.SNDHWM: 64,
    zmq.RCVHWM: 64,
    zmq.HANDSHAKE_IVL: 3_000,  # 30 s by default: a silent connection costs a descriptor so long
    # No heartbeats of ZMTP; the link has its own. A PING that is due on a connection which ended
    # while its full queue held up reading trips an assertion of libzmq 4.3.5 (`!_io_error`), which
    # aborts the process; and a peer whose loop is busy reads no PING, and would be cut for it.
    zmq.HEARTBEAT_IVL: 0,
    zmq.RECONNECT_IVL: 100,
    zmq.RECONNECT_IVL_MAX: 5_000,
    zmq.BACKLOG: 128,
}
# The link sees a dead peer first; this sees the one that never said a Hello on a dead line.
_TCP_OPTIONS: Final[Mapping[int, int]] = {
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: 10,
    zmq.TCP_KEEPALIVE_INTVL: 5,
    zmq.TCP_KEEPALIVE_CNT: 3,
}
_ROUTER_OPTIONS: Final[Mapping[int, int]] = {
    zmq.ROUTER_MANDATORY: 1,  # an unknown or a full peer is an error, not silence
    zmq.ROUTER_HANDOVER: 0,  # nobody takes over a connected peer's routing id
}

_log = logging.getLogger(__name__)


def curve_version() -> str | None:
    """Return the version of libzmq, or None when it was built without CURVE."""
    return zmq.zmq_version() if zmq.has("curve") else None


def new_key_pair(name: str) -> KeyPair:
    """Make a key pair; nothing is written.

    Raises:
        SecurityError: libzmq was built without CURVE.
    """
    if not zmq.has("curve"):
        raise SecurityError(
            f"libzmq {zmq.zmq_version()} was built without CURVE",
            "install pyzmq from its wheel: pip install --only-binary pyzmq pyzmq",
        )
    public, secret = zmq.curve_keypair()
    return KeyPair(name, public.decode(), secret)


def load_key_pair(directory: Path, name: str) -> KeyPair:
    """Read the secret file of a pair and prove that its halves belong together.

    Raises:
        AddressError, FileRefused: As `transport.keys.read_secret_key`; or the halves do not fit.
    """
    pair = read_secret_key(directory, name)
    if zmq.curve_public(pair.secret).decode() != pair.public:
        problem = f"has the key '{name}' whose two halves do not belong together"
        raise FileRefused(str(directory), problem, "restore its file, or make a new key")
    return pair


class Authenticator:
    """The ZAP handler of one context: decides each CURVE handshake by the live allow-list.

    One daemon thread owns its socket, which is bound when the constructor returns. No request ends
    it; when it ends (`close`, or with the context) nobody is admitted, for every server enforces
    its domain.

    Args:
        context: Its context; there can be one authenticator for each.
        allowed: The allow-list, read anew for every handshake.
        domains: Roles that may come in by each domain.
        refusals: Where those who are turned away are written down.
        clock: Monotonic seconds, for the limit of failures.

    Raises:
        SecurityError: The context has a handler already.
    """

    def __init__(
        self,
        context: Context,
        allowed: Allowed,
        *,
        domains: Mapping[str, frozenset[Role]] = zap.DOMAINS,
        refusals: Refusals | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.context = context
        self.allowed = allowed
        self.domains = domains
        self.refusals = Refusals() if refusals is None else refusals
        self._clock = clock
        self._failures = Failures()
        self._probes: frozenset[str] = frozenset()  # keys of self-tests that are let in
        self._strangers: frozenset[str] = frozenset()  # and those whose refusal is no news
        self._lock = threading.Lock()  # of the probes and the bell
        self._socket = context.socket(zmq.ROUTER)
        try:
            self._socket.linger = 0
            self._socket.bind(ZAP_ENDPOINT)
        except zmq.ZMQError as error:
            self._socket.close()
            raise SecurityError(
                f"this ZeroMQ context cannot have a ZAP handler: {error}",
                "make one Authenticator for each context, before its other sockets",
            ) from error
        self._bell, self._hears = sockets.socketpair()
        self._thread = threading.Thread(target=self._run, name="mob-zap", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether somebody can be admitted."""
        return self._thread.is_alive()

    @contextmanager
    def probing(self, welcome: str, stranger: str) -> Iterator[None]:
        """Let one key of a self-test shake hands, and refuse another without writing it down.

        No guard takes a message of either.
        """
        with self._lock:
            self._probes |= {welcome}
            self._strangers |= {stranger}
        try:
            yield
        finally:
            with self._lock:
                self._probes -= {welcome}
                self._strangers -= {stranger}

    def close(self) -> None:
        """End the thread and its socket; nobody is admitted afterwards. Twice does nothing."""
        with self._lock:
            self._bell.close()  # the other end becomes readable
        self._thread.join()
        self._hears.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._hears, zmq.POLLIN)
        try:
            while all(ready is self._socket for ready, _ in poller.poll()):
                self._answer()
        except zmq.ContextTerminated:
            pass
        finally:
            # Closing alone frees the name some time later; the next handler may come at once.
            with suppress(zmq.ZMQError):
                self._socket.unbind(ZAP_ENDPOINT)
            self._socket.close()

    def _answer(self) -> None:
        for _ in range(BATCH):
            try:
                envelope, *request = self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            answer = self._judge(request[1:])  # without the empty delimiter
            if answer is not None:
                # A handshake that has ended meanwhile waits for no answer.
                with suppress(zmq.Again):
                    self._socket.send_multipart((envelope, b"", *answer), zmq.DONTWAIT)

    def _judge(self, request: list[bytes]) -> tuple[bytes, ...] | None:
        """The answer; a refusal is written down before the peer learns of it."""
        try:
            found = zap.judge(
                request, peers=self.allowed.peers, domains=self.domains, probes=self._probes
            )
        except Exception:  # noqa: BLE001 - one peer must not shut the door for all others
            _log.exception("a handshake could not be judged, so it is refused")
            return None
        reason, key, answer = found.reason, found.key, found.answer
        if reason is None or key in self._strangers:
            return answer
        # Who has no address did not come over the network.
        if found.address != "-" and self._failures.failed(found.address, self._clock()):
            # One record for all that follows, and no word to the peer.
            reason, key, answer = Reason.FLOOD, "-", zap.put_off(answer)
        self.refusals.record(reason, mechanism=found.mechanism, key=key, address=found.address)
        return answer


def harden(socket: Socket, role: Server | Client | Local) -> None:
    """Set every limit, and for tcp CURVE, before the socket is bound or connected.

    Raises:
        SecurityError: The role cannot be played: a domain nobody has, a server key that is none.
    """
    options = dict(_OPTIONS)
    if socket.type == zmq.ROUTER:
        options |= _ROUTER_OPTIONS
    if not isinstance(role, Local):
        options |= _TCP_OPTIONS
    if not isinstance(role, Server):
        options[zmq.IMMEDIATE] = 1  # nothing queues for a connection that does not exist yet
    for option, value in options.items():
        socket.setsockopt(option, value)
    if isinstance(role, Server):
        if role.domain not in role.authenticator.domains:
            known = ", ".join(sorted(role.authenticator.domains))
            raise SecurityError(f"there is no domain '{role.domain}'", f"one of: {known}")
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, role.keys.secret)
        # Both, always: enforcing without a domain still lets everybody in (finding F1).
        socket.setsockopt(zmq.ZAP_DOMAIN, role.domain.encode())
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
    elif isinstance(role, Client):
        problem = public_key_problem(role.server_key)
        if problem is not None:
            hint = "copy it as `mob keys show NAME` prints it on the server"
            raise SecurityError(f"the server's key {problem}", hint)
        socket.setsockopt(zmq.CURVE_SERVERKEY, role.server_key.encode())
        socket.setsockopt(zmq.CURVE_PUBLICKEY, role.keys.public.encode())
        socket.setsockopt(zmq.CURVE_SECRETKEY, role.keys.secret)


def listen(socket: Socket, role: Server | Local, endpoint: str) -> str:
    """Harden and bind a socket.

    Args:
        endpoint: `tcp://HOST:PORT` for a `Server` (port `*` for a free one; HOST an address of
            this machine, `*` for all of them); `ipc://` with the path of an `IpcPath`, or
            `inproc://`, for a `Local`.

    Returns:
        The endpoint with the port it got.

    Raises:
        SecurityError: Endpoint and role do not fit; the authenticator is another context's or has
            ended; the address is public and the role is not, or nobody is allowed yet.
        zmq.ZMQError: The address cannot be had.
    """
    if isinstance(role, Server):
        host = tcp_host(endpoint)
        authenticator = role.authenticator
        if authenticator.context.underlying != socket.context.underlying or not authenticator.alive:
            raise SecurityError(
                "nobody would answer for this socket's handshakes",
                "make an Authenticator in the socket's context first, and keep it open",
            )
        role.check_host(host)
        harden(socket, role)
        socket.setsockopt(zmq.IPV6, int(speaks_ipv6(host)))
    else:
        check_local(endpoint)
        harden(socket, role)
    socket.bind(endpoint)
    return str(socket.getsockopt_string(zmq.LAST_ENDPOINT)).rstrip("\0")


def dial(socket: Socket, role: Client | Local, endpoint: str) -> None:
    """Harden and connect a socket; the connection is made, and made again, in the background.

    A client that the server *refuses* (its key is not in the list, or no longer) is not connected
    again by libzmq: `Watch.read` says `REFUSED`, and the owner dials with a new socket.

    Raises:
        SecurityError: Endpoint and role do not fit.
        zmq.ZMQError: The endpoint cannot be understood.
    """
    if isinstance(role, Client):
        host = tcp_host(endpoint)
        harden(socket, role)
        socket.setsockopt(zmq.IPV6, int(speaks_ipv6(host)))
    else:
        check_local(endpoint)
        harden(socket, role)
    socket.connect(endpoint)


@contextmanager
def probe(context: Context, role: Client | None, endpoint: str) -> Iterator[Watch]:
    """Knock once at a tcp endpoint and send nothing; without a role: without CURVE, as a stranger.

    For the self-test. A socket without CURVE exists nowhere else, and this one has no messages.
    """
    socket = context.socket(zmq.DEALER)
    watch = Watch(socket)
    try:
        harden(socket, Local() if role is None else role)
        # One connection and no other: what comes after the outcome would look like an attack.
        socket.setsockopt(zmq.RECONNECT_IVL, -1)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 0)  # or it would be a first pause all the same
        socket.setsockopt(zmq.IPV6, int(speaks_ipv6(tcp_host(endpoint))))
        socket.connect(endpoint)
        yield watch
    finally:
        watch.close()
        socket.close()
