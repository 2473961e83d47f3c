"""Addresses as people write them for `listen` and `connect`: checked before ZeroMQ sees them.

    listen     ipc                       a path of this user's, made by the listener
               tcp://HOST:PORT           PORT 0 to 65535, or `*` for a free one
    connect    ipc:///PATH               absolute, at most `PATH_BYTES` long
               tcp://HOST:PORT           PORT 1 to 65535

HOST is an IP address (IPv6 in brackets) or a name; `*`, every address of this machine, can only be
listened on. libzmq itself takes a port modulo 65536 and dials names like `999.1.1.1`, so nothing is
left to it. Text only: nothing is looked up.
"""

from __future__ import annotations

import errno
import ipaddress
import re
from collections.abc import Callable
from typing import Final, Self

from transport.errors import AddressError, TransportError
from transport.reach import PATH_BYTES

__all__ = [
    "EndpointError",
    "Unavailable",
    "another_port",
    "check_to_connect",
    "check_to_listen",
    "is_own",
    "same_host",
]

PORTS: Final = 65_535
_NAME: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.@-]{0,251}[A-Za-z0-9_])?\.?")
_DIGITS: Final = re.compile(r"[0-9.]+")
_PORT: Final = re.compile(r"[0-9]{1,5}")
_TCP_EXAMPLE: Final = ("tcp://127.0.0.1:*", "tcp://127.0.0.1:7000")  # to listen, to connect
_IPC_EXAMPLE: Final = "ipc:///what/listen/returned"


class EndpointError(AddressError):
    """A text is not an address to listen on, or to connect to.

    Attributes:
        part: Which part of it is wrong: scheme, host, port or path.
    """

    def __init__(self, text: str, part: str, problem: str, nearest: str) -> None:
        super().__init__(text, problem, nearest)
        self.args = (text, part, problem, nearest)
        self.part = part

    def __str__(self) -> str:
        shown = ascii(self.text[:200]) + ("..." if len(self.text) > 200 else "")
        return f"the {self.part} of {shown} {self.problem}; nearest valid: {self.nearest!r}"


class Unavailable(TransportError):
    """The address is well-formed, and this machine does not give it.

    Attributes:
        address: As it was given.
        problem: Why, as the end of a sentence.
        hint: What helps.
    """

    def __init__(self, address: str, problem: str, hint: str) -> None:
        super().__init__(address, problem, hint)
        self.address = address
        self.problem = problem
        self.hint = hint

    @classmethod
    def because(cls, address: str, number: int, text: str) -> Self:
        """The error for an errno of the system, which calls it `text`."""
        problem, hint = _REASONS.get(number, (text, "look at it with `mob doctor`"))
        return cls(address, problem, hint)

    def of(self, address: str) -> Unavailable:
        """The same of another address: the one that a person gave."""
        return Unavailable(address, self.problem, self.hint)

    def __str__(self) -> str:
        return f"cannot listen on {self.address!r}: {self.problem}"


_NOT_OURS: Final = (
    "the host is not of this machine",
    "take one of its own addresses (`ip address` prints them), or 127.0.0.1 for this machine alone",
)
_REASONS: Final = {
    errno.EADDRINUSE: (
        "the port is in use",
        "take another one, or `*` for a free one; `ss -ltnp` prints who has it",
    ),
    errno.EADDRNOTAVAIL: _NOT_OURS,
    errno.ENODEV: _NOT_OURS,
    errno.EACCES: (
        "the system does not let this user have that port",
        "take one from 1024, or `*` for a free one",
    ),
}


class _Wrong(Exception):
    def __init__(self, part: str, problem: str) -> None:
        super().__init__(part, problem)
        self.part = part
        self.problem = problem


def check_to_listen(address: str) -> None:
    """Refuse what nobody can listen on.

    Raises:
        EndpointError: It names the part that is wrong, and the nearest address that is not.
    """
    _check(address, _to_listen, _TCP_EXAMPLE[0], "ipc")


def check_to_connect(address: str) -> None:
    """Refuse what nobody can connect to.

    Raises:
        EndpointError: As `check_to_listen`.
    """
    _check(address, _to_connect, _TCP_EXAMPLE[1], _IPC_EXAMPLE)


def _check(address: str, judge: Callable[[str], None], tcp: str, ipc: str) -> None:
    try:
        judge(address)
    except _Wrong as wrong:
        nearest = next(each for each in _near(address, tcp, ipc) if _is_good(each, judge))
        raise EndpointError(address, wrong.part, wrong.problem, nearest) from None


def _is_good(address: str, judge: Callable[[str], None]) -> bool:
    try:
        judge(address)
    except _Wrong:
        return False
    return True


def _to_listen(address: str) -> None:
    if address == "ipc":
        return
    scheme, _, rest = address.partition("://")
    if scheme == "ipc":
        raise _Wrong("path", "is not yours to choose: it is made from the name of the system")
    if scheme != "tcp" or not rest:
        raise _Wrong("scheme", "is neither 'ipc' nor 'tcp://HOST:PORT'")
    host, port = _split(rest)
    _judge_host(host, every=True)
    _judge_port(port, 0)


def _to_connect(address: str) -> None:
    scheme, _, rest = address.partition("://")
    if scheme == "ipc":
        _judge_path(rest)
        return
    if scheme != "tcp" or not rest:
        raise _Wrong("scheme", "is neither 'ipc:///PATH' nor 'tcp://HOST:PORT'")
    host, port = _split(rest)
    _judge_host(host, every=False)
    _judge_port(port, 1)


def _judge_path(path: str) -> None:
    if not path.startswith("/") or path == "/":
        raise _Wrong("path", "is not absolute: connect to what `listen` returned over there")
    if "\0" in path:
        raise _Wrong("path", "has a zero character")
    try:
        length = len(path.encode())
    except UnicodeEncodeError:
        raise _Wrong("path", "is no UTF-8 text") from None
    if length > PATH_BYTES:
        raise _Wrong("path", f"has {length} bytes, at most {PATH_BYTES} are legal")


def _split(rest: str) -> tuple[str, str | None]:
    """Host, and port if there is one."""
    if rest.startswith("["):
        host, bracket, port = rest.partition("]")
        if not bracket:
            raise _Wrong("host", "has no closing bracket")
        if port and not port.startswith(":"):
            raise _Wrong("port", "does not follow the bracket after a colon")
        return host + bracket, port[1:] if port else None
    if rest.count(":") > 1:
        raise _Wrong("host", "is an IPv6 address without brackets, or has a colon too many")
    host, colon, port = rest.partition(":")
    return host, port if colon else None


def _judge_host(host: str, *, every: bool) -> None:
    if not host:
        raise _Wrong("host", "is missing")
    if host == "*":
        if not every:
            raise _Wrong("host", "is `*`, which can be listened on and not connected to")
    elif host.startswith("["):
        if _version(host[1:-1]) != 6:
            raise _Wrong("host", "has something else than an IPv6 address in brackets")
    elif _DIGITS.fullmatch(host):
        if _version(host) != 4:
            raise _Wrong("host", "is no IPv4 address: four numbers from 0 to 255")
    elif not _NAME.fullmatch(host):
        raise _Wrong("host", "is neither an IP address nor a name of ASCII letters and digits")


def _judge_port(port: str | None, lowest: int) -> None:
    if not port:
        raise _Wrong("port", "is missing")
    if port == "*":
        if lowest:
            raise _Wrong("port", "is `*`: connect to the port that `listen` returned over there")
    elif not _PORT.fullmatch(port) or not lowest <= int(port) <= PORTS:
        free = "" if lowest else ", or `*` for a free one"
        raise _Wrong("port", f"is no number from {lowest} to {PORTS}{free}")


def _version(host: str) -> int:
    """4 or 6; 0 for what is no IP address."""
    if not host.isascii() or "/" in host or any(not each.isprintable() for each in host):
        return 0
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return 0


def _near(address: str, tcp: str, ipc: str) -> list[str]:
    """What may have been meant, the nearest first; the last one is always valid."""
    text = address.strip()
    scheme, marker, rest = text.partition("://")
    scheme = scheme.lower()
    if not marker:
        scheme, rest = ("ipc", "") if scheme == "ipc" else ("tcp", text)
    near = [f"ipc:///{rest.lstrip('/')}", ipc] if scheme == "ipc" else []
    rest = rest.partition("/")[0]
    bare = rest.strip("[]")
    if _version(bare) == 6:
        rest = f"[{bare}]"
    host, colon, port = rest.rpartition(":")
    if not colon or rest.endswith("]"):
        host, port = rest, ""
    if _version(host.strip("[]")) == 6:
        host = f"[{host.strip('[]')}]"
    example = tcp.rpartition(":")[2]
    number = port.removeprefix("-").lstrip("0") if port.isascii() else ""
    close = port if port == "*" else example
    if number.isdigit():
        close = str(min(int(number[:6]), PORTS)) if not port.startswith("-") else example
    for name in (host, "127.0.0.1"):
        near += [f"tcp://{name}:{each}" for each in (port, close, example)]
    return near


def another_port(address: str) -> str:
    """The address with a free port of its own."""
    if not address.startswith("tcp://"):
        return address
    return address.rpartition(":")[0] + ":*"


def same_host(dialled: str, data: str) -> str:
    """The data address as this side reaches it: the host it dialled, the port that was said."""
    if not dialled.startswith("tcp://") or not data.startswith("tcp://"):
        return data
    return f"{dialled.rpartition(':')[0]}:{data.rpartition(':')[2]}"


def is_own(dialled: str, bound: str) -> bool:
    """Whether who listens on `bound` certainly reaches itself at `dialled`."""
    if dialled == bound:
        return True
    if not dialled.startswith("tcp://") or not bound.startswith("tcp://"):
        return False
    host, _, port = dialled[6:].rpartition(":")
    its, _, at = bound[6:].rpartition(":")
    if not port.isdigit() or int(port) != int(at):
        return False
    return host == its or (_is_this_machine(host) and _takes_loopback(its))


def _is_this_machine(host: str) -> bool:
    bare = host.strip("[]")
    return host == "localhost" or (bool(_version(bare)) and ipaddress.ip_address(bare).is_loopback)


def _takes_loopback(bound: str) -> bool:
    return bound in {"127.0.0.1", "[::1]", "0.0.0.0", "[::]", "[::ffff:0.0.0.0]"}  # noqa: S104
