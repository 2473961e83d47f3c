"""Endpoints by their text: which are public, which are local, which are nothing."""

from __future__ import annotations

import pytest

from transport.reach import (
    PATH_BYTES,
    SecurityError,
    check_local,
    is_private,
    local_face,
    speaks_ipv6,
    tcp_host,
)


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("tcp://127.0.0.1:5555", "127.0.0.1"),
        ("tcp://[::1]:*", "::1"),
        ("tcp://[fe80::1%eth0]:5", "fe80::1%eth0"),
        ("tcp://*:*", "*"),
        ("tcp://node-1.example:80", "node-1.example"),
    ],
)
def test_the_host_of_a_tcp_endpoint(endpoint: str, host: str) -> None:
    assert tcp_host(endpoint) == host


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "127.0.0.1:5555",
        "tcp://127.0.0.1",
        "tcp://::1:5555",
        "tcp://127.0.0.1:0;10.0.0.1:5",
        "tcp://a b:5",
        "tcp://a:5\n",
        "tcp://a:123456",
        "ipc:///run/x",
        "inproc://x",
        "ws://127.0.0.1:80",
        "udp://127.0.0.1:80",
    ],
)
def test_what_is_no_tcp_endpoint_has_no_keys(endpoint: str) -> None:
    with pytest.raises(SecurityError, match="only tcp has keys") as caught:
        tcp_host(endpoint)

    assert "tcp://127.0.0.1:5555" in caught.value.hint


@pytest.mark.parametrize("endpoint", ["ipc:///run/mob/x", "inproc://node"])
def test_local_endpoints_are_local(endpoint: str) -> None:
    check_local(endpoint)


@pytest.mark.parametrize(
    "endpoint",
    ["tcp://127.0.0.1:5", "ipc://@abstract", "ipc://*", "ipc://relative/x", "ipc://", "inproc://"],
)
def test_what_others_could_reach_is_not_local(endpoint: str) -> None:
    with pytest.raises(SecurityError, match="is no local endpoint"):
        check_local(endpoint)


def test_an_ipc_path_is_as_long_as_the_kernel_takes() -> None:
    check_local("ipc:///" + "x" * (PATH_BYTES - 1))

    with pytest.raises(SecurityError, match=f"has {PATH_BYTES + 1} bytes"):
        check_local("ipc:///" + "x" * PATH_BYTES)


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("10.1.2.3", True),
        ("192.168.1.1", True),
        ("fd00::1", True),
        ("fe80::1%eth0", True),
        ("::ffff:127.0.0.1", True),
        ("*", False),
        ("0.0.0.0", False),
        ("::", False),
        ("::ffff:0.0.0.0", False),
        ("8.8.8.8", False),
        ("::ffff:8.8.8.8", False),
        ("2001:4860::1", False),
        ("eth0", False),
        ("node.example", False),
    ],
)
def test_what_the_world_may_reach_is_not_private(host: str, private: bool) -> None:
    assert is_private(host) is private


@pytest.mark.parametrize(
    ("host", "ipv6"),
    [
        ("127.0.0.1", False),
        ("localhost", False),
        ("::ffff:127.0.0.1", True),
        ("::1", True),
        ("*", True),
        ("node.example", True),
    ],
)
def test_ipv6_is_switched_on_where_it_is_meant(host: str, ipv6: bool) -> None:
    assert speaks_ipv6(host) is ipv6


@pytest.mark.parametrize(
    ("endpoint", "face"),
    [
        ("tcp://0.0.0.0:5", "tcp://127.0.0.1:5"),
        ("tcp://[::]:5", "tcp://127.0.0.1:5"),
        ("tcp://[::ffff:0.0.0.0]:5", "tcp://127.0.0.1:5"),
        ("tcp://10.0.0.1:5", "tcp://10.0.0.1:5"),
        ("tcp://[::1]:5", "tcp://[::1]:5"),
    ],
)
def test_a_listener_on_every_address_is_reached_by_loopback(endpoint: str, face: str) -> None:
    assert local_face(endpoint) == face
