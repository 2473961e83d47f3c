"""What a client in another language sees of a refusal: docs/wire.md, Link, by hand over ipc."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import zmq

from actors import ActorSystem
from tests.post.nodes import PATIENCE_S, Total, Worker
from transport.codec import encode_message, pack_envelope, pack_parcel, unpack_envelope
from transport.codec import unpack_parcel as unpack
from transport.envelope import Envelope, Kind
from transport.parcels import Ack, Batch, Bye, Hello


@pytest.fixture
def west(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ActorSystem]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    with ActorSystem("west") as system:
        system.listen("ipc")
        system.start(Worker, name="worker", wait=True)
        yield system


class Client:
    """A DEALER with nothing else."""

    def __init__(self, socket: Any) -> None:  # Any: pyzmq's generic
        self._socket = socket

    def send(self, *frames: bytes) -> None:
        self._socket.send_multipart(frames)

    def hello(self, node: str = "client") -> None:
        self.send(
            pack_parcel(
                Hello(
                    protocols=(1, 1),
                    build="by hand",
                    node=node,
                    boot=secrets.token_bytes(16),
                    session=secrets.token_bytes(16),
                    channel="data",
                    received=0,
                    window=(1_024, 4 << 20),
                    frame_limit=1 << 20,
                    endpoints=(),
                )
            )
        )

    def next(self, kind: type[Any]) -> Any:
        """The next parcel of a kind."""
        while self._socket.poll(PATIENCE_S * 1_000):
            parcel = unpack(self._socket.recv())
            if isinstance(parcel, kind):
                return parcel
        raise AssertionError(f"no {kind.__name__} came")


@contextmanager
def client(system: ActorSystem) -> Iterator[Client]:
    """A connection to the data channel of a system."""
    office = system._network.office
    assert office is not None
    context: Any = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    socket.connect(office._endpoints["data"])
    try:
        yield Client(socket)
    finally:
        socket.close()
        context.term()


def ask(number: int, target: str) -> bytes:
    message = Total()
    return pack_envelope(
        Envelope(
            Kind.ASK,
            number,
            target,
            tag=message.wire_tag,
            version=message.wire_version,
            payload=encode_message(message),
        )
    )


@pytest.mark.parametrize(
    "frame", [b"", b"\x00\xff" * 50, pack_parcel(Ack(0)), pack_parcel(Batch(1, 0, (b"row",)))]
)
def test_what_comes_before_a_hello_is_refused_with_a_bye(west: ActorSystem, frame: bytes) -> None:
    with client(west) as stranger:
        stranger.send(frame)

        assert stranger.next(Bye).code == "protocol"


def test_the_rows_before_a_bad_one_are_handed_over(west: ActorSystem) -> None:
    with client(west) as peer:
        peer.hello()
        peer.next(Hello)
        add = pack_envelope(
            Envelope(Kind.TELL, 0, "worker", tag="test.post.add", version=1, payload=b"\x91\x05")
        )
        peer.send(pack_parcel(Batch(1, 0, (add, b"\xc1"))))

        assert peer.next(Bye).code == "protocol"
    worker: Any = west.ref("worker")
    assert worker.ask(Total(), timeout=PATIENCE_S) == 5


def test_the_second_local_process_of_a_name_is_refused_and_the_first_stays(
    west: ActorSystem,
) -> None:
    with client(west) as first, client(west) as second:
        first.hello("twin")
        first.next(Hello)
        second.hello("twin")

        assert second.next(Bye).code == "name"
        first.send(pack_parcel(Batch(1, 0, (ask(1, "worker"),))))
        (row,) = first.next(Batch).rows
        assert unpack_envelope(row).kind is Kind.REPLY


def test_what_is_wrong_with_one_envelope_ends_no_link(west: ActorSystem) -> None:
    with client(west) as peer:
        peer.hello()
        peer.next(Hello)
        unknown = pack_envelope(
            Envelope(Kind.ASK, 1, "worker", tag="nobody.has", version=1, payload=b"\x90")
        )
        stray = pack_envelope(Envelope(Kind.REPLY, 9, "", payload=b"\x01"))
        peer.send(pack_parcel(Batch(1, 0, (unknown, stray, ask(2, "nobody"), ask(3, "worker")))))

        kinds: dict[int, Kind] = {}
        while len(kinds) < 3:
            for row in peer.next(Batch).rows:
                envelope = unpack_envelope(row)
                kinds[envelope.id] = envelope.kind
        assert kinds == {1: Kind.ERROR, 2: Kind.ERROR, 3: Kind.REPLY}
