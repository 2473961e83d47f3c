"""Addresses to listen on and to connect to: what is refused, and what is offered instead."""

from __future__ import annotations

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport.endpoint_text import (
    EndpointError,
    Unavailable,
    another_port,
    check_to_connect,
    check_to_listen,
    is_own,
    same_host,
)
from transport.errors import AddressError
from transport.reach import PATH_BYTES

GOOD_HOSTS = ["127.0.0.1", "[::1]", "[fe80::1%eth0]", "localhost", "node-1.example.org", "eth0"]
TEXTS = st.one_of(
    st.text(max_size=40),
    st.text("tcpipc:/[]*.0123456789-:%ab \0é", max_size=30),
    st.builds("tcp://{}:{}".format, st.sampled_from(GOOD_HOSTS), st.integers()),
    st.builds("ipc://{}".format, st.text(max_size=150)),
)


@pytest.mark.parametrize("host", GOOD_HOSTS)
@pytest.mark.parametrize("port", ["1", "7000", "65535"])
def test_what_is_right_passes(host: str, port: str) -> None:
    check_to_listen(f"tcp://{host}:{port}")
    check_to_connect(f"tcp://{host}:{port}")


@pytest.mark.parametrize("address", ["ipc", "tcp://*:0", "tcp://127.0.0.1:*", "tcp://0.0.0.0:0"])
def test_only_a_listener_may_leave_something_open(address: str) -> None:
    check_to_listen(address)
    if address != "tcp://0.0.0.0:0":
        with pytest.raises(EndpointError):
            check_to_connect(address)


@pytest.mark.parametrize(
    ("address", "part", "nearest"),
    [
        ("", "scheme", "tcp://127.0.0.1:*"),
        ("IPC", "scheme", "ipc"),
        ("ipc:///tmp/x", "path", "ipc"),
        ("127.0.0.1:7000", "scheme", "tcp://127.0.0.1:7000"),
        ("TCP://127.0.0.1:0", "scheme", "tcp://127.0.0.1:0"),
        (" tcp://127.0.0.1:0", "scheme", "tcp://127.0.0.1:0"),
        ("udp://127.0.0.1:1", "scheme", "tcp://127.0.0.1:1"),
        ("tcp://127.0.0.1", "port", "tcp://127.0.0.1:*"),
        ("tcp://127.0.0.1:", "port", "tcp://127.0.0.1:*"),
        ("tcp://127.0.0.1:99999", "port", "tcp://127.0.0.1:65535"),
        ("tcp://127.0.0.1:-1", "port", "tcp://127.0.0.1:*"),
        ("tcp://127.0.0.1:abc", "port", "tcp://127.0.0.1:*"),
        ("tcp://127.0.0.1:٣", "port", "tcp://127.0.0.1:*"),
        ("tcp://127.0.0.1:0/x", "port", "tcp://127.0.0.1:0"),
        ("tcp://:7000", "host", "tcp://127.0.0.1:7000"),
        ("tcp://::1:7000", "host", "tcp://[::1:7000]:*"),
        ("tcp://2001:db8::1", "host", "tcp://[2001:db8::1]:*"),
        ("tcp://[::1:7000", "host", "tcp://[::1:7000]:*"),
        ("tcp://[::1]7000", "port", "tcp://127.0.0.1:*"),
        ("tcp://[127.0.0.1]:7000", "host", "tcp://127.0.0.1:7000"),
        ("tcp://256.1.1.1:7000", "host", "tcp://127.0.0.1:7000"),
    ],
)
def test_a_wrong_part_is_named_and_the_nearest_address_offered(
    address: str, part: str, nearest: str
) -> None:
    with pytest.raises(EndpointError) as caught:
        check_to_listen(address)

    assert (caught.value.part, caught.value.nearest) == (part, nearest)
    assert str(caught.value).startswith(f"the {part} of {address!a} ")
    assert isinstance(caught.value, AddressError)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("address", "part", "nearest"),
    [
        ("ipc", "path", "ipc:///what/listen/returned"),
        ("ipc://relative", "path", "ipc:///relative"),
        ("west", "scheme", "tcp://west:7000"),
        ("tcp://*:1", "host", "tcp://127.0.0.1:1"),
        ("tcp://127.0.0.1:0", "port", "tcp://127.0.0.1:7000"),
        ("tcp://127.0.0.1:*", "port", "tcp://127.0.0.1:7000"),
        ("tcp://127.0.0.1:99999", "port", "tcp://127.0.0.1:65535"),
        (f"ipc:///{'x' * PATH_BYTES}", "path", "ipc:///what/listen/returned"),
        ("inproc://x", "scheme", "tcp://x:7000"),
        ("ipc:///\udc80", "path", "ipc:///what/listen/returned"),
        ("ipc:///a\0b", "path", "ipc:///what/listen/returned"),
    ],
)
def test_so_it_is_where_one_connects(address: str, part: str, nearest: str) -> None:
    with pytest.raises(EndpointError) as caught:
        check_to_connect(address)

    assert (caught.value.part, caught.value.nearest) == (part, nearest)


@given(TEXTS)
def test_whatever_the_text_the_nearest_one_is_valid_and_the_error_can_be_printed(text: str) -> None:
    for check in (check_to_listen, check_to_connect):
        try:
            check(text)
        except EndpointError as error:
            check(error.nearest)
            str(error).encode()
            assert len(str(error)) < 3_000


@given(st.sampled_from(GOOD_HOSTS), st.integers(-(10**7), 10**7))
def test_a_port_is_never_taken_for_another_one(host: str, port: int) -> None:
    def passes(check: object) -> bool:
        try:
            check(f"tcp://{host}:{port}")  # type: ignore[operator]
        except EndpointError:
            return False
        return True

    assert passes(check_to_listen) == (0 <= port <= 65_535)
    assert passes(check_to_connect) == (1 <= port <= 65_535)


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.EADDRINUSE, "the port is in use"),
        (errno.EADDRNOTAVAIL, "the host is not of this machine"),
        (errno.ENODEV, "the host is not of this machine"),
        (errno.EACCES, "the system does not let this user have that port"),
        (errno.EMFILE, "Too many open files"),
    ],
)
def test_why_an_address_cannot_be_had_is_said_of_the_one_that_was_given(
    number: int, says: str
) -> None:
    error = Unavailable.because("tcp://127.0.0.1:80", number, os.strerror(number))

    assert str(error) == f"cannot listen on 'tcp://127.0.0.1:80': {says}"
    assert error.hint


@pytest.mark.parametrize(
    ("dialled", "bound", "own"),
    [
        ("ipc:///a/control", "ipc:///a/control", True),
        ("ipc:///b/control", "ipc:///a/control", False),
        ("tcp://127.0.0.1:5", "tcp://127.0.0.1:5", True),
        ("tcp://localhost:5", "tcp://127.0.0.1:5", True),
        ("tcp://127.0.0.1:5", "tcp://0.0.0.0:5", True),
        ("tcp://[::1]:5", "tcp://[::]:5", True),
        ("tcp://127.0.0.1:6", "tcp://127.0.0.1:5", False),
        ("tcp://10.0.0.2:5", "tcp://0.0.0.0:5", False),  # perhaps, perhaps not: its Hello will say
        ("tcp://10.0.0.2:5", "tcp://127.0.0.1:5", False),
    ],
)
def test_who_dials_itself_is_seen(dialled: str, bound: str, own: bool) -> None:
    assert is_own(dialled, bound) is own


def test_the_other_channel_has_the_same_host_and_another_port() -> None:
    assert another_port("tcp://[::1]:7000") == "tcp://[::1]:*"
    assert another_port("ipc") == "ipc"
    assert same_host("tcp://localhost:1", "tcp://127.0.0.1:2") == "tcp://localhost:2"
    assert same_host("ipc:///a", "ipc:///b") == "ipc:///b"
