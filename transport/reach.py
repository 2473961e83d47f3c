"""What an endpoint's text says about who can reach it; text only, nothing is looked up.

tcp://HOST:PORT    HOST an IP address (IPv6 in brackets), a name, or `*` for every address of
                   this machine; PORT a number, or `*` for a free one. Always CURVE.
ipc:///PATH        a socket file; at most `PATH_BYTES` long, no abstract names
inproc://NAME      inside one ZeroMQ context
"""

from __future__ import annotations

import ipaddress
import re
import sys
from typing import Final

from transport.errors import TransportError

__all__ = [
    "PATH_BYTES",
    "SecurityError",
    "check_local",
    "is_private",
    "local_face",
    "speaks_ipv6",
    "tcp_host",
]

# sun_path of sockaddr_un without the final zero: the kernel's limit.
PATH_BYTES: Final = 103 if sys.platform == "darwin" else 107

_TCP: Final = re.compile(r"tcp://(\[[0-9A-Fa-f:.%\w]+\]|[^\s\[\]:;/]+):([0-9]{1,5}|\*)")
_LOCAL: Final = re.compile(r"ipc:///[^\0]+|inproc://[^\0]+")
_EVERY_ADDRESS: Final = "*"


class SecurityError(TransportError):
    """A promise about who may speak cannot be kept, so nothing was opened.

    Attributes:
        problem: One sentence.
        hint: What helps.
    """

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem, hint)
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        return self.problem


def tcp_host(endpoint: str) -> str:
    """Return the host of a tcp endpoint, without brackets.

    Raises:
        SecurityError: It is no tcp endpoint.
    """
    found = _TCP.fullmatch(endpoint)
    if found is None or (found[2] != "*" and int(found[2]) > 65_535):  # libzmq takes it modulo
        raise SecurityError(
            f"{endpoint[:200]!r} is no tcp endpoint, and only tcp has keys",
            "for example tcp://127.0.0.1:5555, or tcp://[::1]:*",
        )
    return found[1].strip("[]")


def check_local(endpoint: str) -> None:
    """Refuse what other users or machines could reach without a key.

    Raises:
        SecurityError: It is neither inproc nor an absolute ipc path of a legal length.
    """
    if _LOCAL.fullmatch(endpoint) is None:
        raise SecurityError(
            f"{endpoint[:200]!r} is no local endpoint, and a local socket has no keys",
            "for example inproc://node, or the endpoint of an IpcPath",
        )
    length = len(endpoint.removeprefix("ipc://").encode())
    if endpoint.startswith("ipc://") and length > PATH_BYTES:
        problem = f"the path of an ipc endpoint has {length} bytes, at most {PATH_BYTES} are legal"
        raise SecurityError(problem, "set XDG_RUNTIME_DIR to a shorter path")


def is_private(host: str) -> bool:
    """Whether a listening host is this machine's or a private network's alone.

    `*` and the unspecified addresses are not, nor is a name or an interface: what they stand for is
    not in the text.
    """
    if host == "localhost":
        return True
    address = _address(host)
    return address is not None and address.is_private and not address.is_unspecified


def speaks_ipv6(host: str) -> bool:
    """Whether a socket for this host needs the IPv6 option.

    Not for IPv4 addresses: with the option libzmq would report them as `::ffff:192.0.2.1`.
    """
    return ":" in host or (host != "localhost" and _address(host) is None)


def local_face(endpoint: str) -> str:
    """The endpoint by which this machine reaches its own listener on every address."""
    # An IPv6 listener on every address takes IPv4 too: libzmq clears IPV6_V6ONLY.
    for every in ("//0.0.0.0:", "//[::ffff:0.0.0.0]:", "//[::]:"):
        endpoint = endpoint.replace(every, "//127.0.0.1:")
    return endpoint


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    # Before Python 3.13 every IPv4 address counts as private in this disguise.
    return getattr(address, "ipv4_mapped", None) or address
