"""The guard: the identity is what the transport proved, looked up anew on every message."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import zmq

from tests.transport.curve_peer import greet, properties
from tests.transport.network import DEADLINE_S, Context
from transport import z85
from transport.allowed import Allowed, Peer, Role
from transport.guard import Guard, LocalGuard
from transport.security import Local, dial, listen

KEY = z85.encode(bytes(range(32)))
HOST = frozenset({Role.HOST})
ME = Peer(KEY, "me", frozenset(Role))


class Frame:
    """What libzmq says about a frame."""

    def __init__(self, **properties: str) -> None:
        self._properties = {name.replace("_", "-"): text for name, text in properties.items()}

    def get(self, option: str, /) -> str:
        try:
            return self._properties[option]
        except KeyError:
            raise zmq.ZMQError(zmq.EINVAL) from None


def test_the_live_set_decides_on_every_message() -> None:
    allowed = Allowed()
    guard = Guard(allowed)
    frame = Frame(User_Id=KEY)

    before = guard.admits(frame)
    peer = allowed.allow(KEY, "west", HOST)
    during = guard.admits(frame)
    allowed.revoke(KEY)
    after = guard.admits(frame)

    assert (before, during, after) == (None, peer, None)


def test_a_lost_role_shuts_the_door_of_that_role() -> None:
    allowed = Allowed([Peer(KEY, "ann", HOST)])
    hosts, operators = Guard(allowed), Guard(allowed, "mob.operator")
    assert (hosts.admits_key(KEY) is None, operators.admits_key(KEY) is None) == (False, True)

    allowed.allow(KEY, "ann", ["operator:read"])

    assert (hosts.admits_key(KEY) is None, operators.admits_key(KEY) is None) == (True, False)


@pytest.mark.parametrize("frame", [Frame(), Frame(User_Id=""), Frame(User_Id="x")])
def test_a_frame_of_nobody_is_not_admitted(frame: Frame) -> None:
    assert Guard(Allowed([Peer(KEY, "west", HOST)])).admits(frame) is None


@pytest.mark.parametrize(
    ("address", "admitted"),
    [
        (f"localhost:{os.geteuid()}:5:77", True),
        (f"local:host:{os.geteuid()}:5:", True),
        (f"localhost:{os.geteuid() + 1}:5:77", False),
        (f"localhost:{os.geteuid() + 1}:{os.geteuid()}:{os.geteuid()}", False),
        ("127.0.0.1", False),
        ("", False),
        (None, False),
    ],
)
def test_a_local_frame_is_admitted_when_the_kernel_names_this_user(
    address: str | None, admitted: bool
) -> None:
    frame = Frame() if address is None else Frame(Peer_Address=address)

    assert LocalGuard(ME).admits(frame) == (ME if admitted else None)


def test_frames_over_ipc_carry_what_the_kernel_says(context: Context, tmp_path: Path) -> None:
    server, client = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
    dial(client, Local(), listen(server, Local(), f"ipc://{tmp_path}/s"))
    client.poll(int(DEADLINE_S * 1000), zmq.POLLOUT)
    client.send(b"hello", zmq.DONTWAIT)
    server.poll(int(DEADLINE_S * 1000))
    frame = server.recv_multipart(copy=False)[1]

    assert LocalGuard(ME).admits(frame) is ME

    client.close()
    server.close()


def test_a_local_peer_cannot_become_somebody_by_saying_so(context: Context, tmp_path: Path) -> None:
    server = context.socket(zmq.ROUTER)
    listen(server, Local(), f"ipc://{tmp_path}/s")
    claims = properties(
        Socket_Type=b"DEALER",
        Identity=b"",
        User_Id=KEY.encode(),
        Peer_Address=b"localhost:4242:1:1",
    )
    body = b"\x05READY" + claims
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(f"{tmp_path}/s")
        greet(raw, b"NULL")
        raw.sendall(b"\x04" + bytes([len(body)]) + body + b"\x00\x02hi")
        assert server.poll(int(DEADLINE_S * 1000))
        frame = server.recv_multipart(copy=False)[1]

    # This is why a Guard is for CURVE servers only: here libzmq repeats the claim.
    assert frame.get("User-Id") == KEY
    assert frame.get("Peer-Address") != "localhost:4242:1:1"
    assert LocalGuard(ME).admits(frame) is ME
    server.close()
