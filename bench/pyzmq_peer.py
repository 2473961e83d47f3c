"""Raw pyzmq's side between two processes: what the library beneath ours does by itself.

Blocking sockets, bytes as they are: no message class, no envelope, no session, no event loop. A
ROUTER serves in the second process, a DEALER drives in the first one, with CURVE over tcp or in
the clear over ipc. Runs in `.venv-bench/pyzmq` and imports nothing of this project.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import zmq

from bench import stopwatch
from bench.second import Ready, second

Kind = Literal["curve", "ipc"]

FRAME: Final = b"x" * 40
"""As long as the row of a small message is on our side."""

LAST: Final = b"?"
"""Asks for an answer when everything before was received."""

IN_FLIGHT: Final = 256
KB: Final = 1024
QUEUE: Final = 100_000
"""High water mark, so that the queue never sets the pace."""

Socket = Any  # zmq.Socket, whose type parameter says nothing here


def serve(ready: Ready, over: threading.Event, kind: Kind, how: str) -> None:
    """Answer every frame (`echo`), or only `LAST` (`count`)."""
    context = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    socket.set_hwm(QUEUE)
    with tempfile.TemporaryDirectory() as folder:
        key = ""
        if kind == "curve":
            public, secret = zmq.curve_keypair()
            socket.curve_server, socket.curve_secretkey = True, secret
            key = public.decode()
            socket.bind("tcp://127.0.0.1:*")
        else:
            socket.bind(f"ipc://{Path(folder) / 'bench'}")
        ready({"address": socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0"), "key": key})
        threading.Thread(target=_answer, args=(socket, how == "echo"), daemon=True).start()
        over.wait()
    os._exit(0)  # the thread is inside recv, and has nothing to lose


def _answer(socket: Socket, echo: bool) -> None:
    while True:
        routing, frame = socket.recv_multipart()
        if echo or frame == LAST:
            socket.send_multipart((routing, frame))


@contextmanager
def connected(kind: Kind, how: str) -> Iterator[Socket]:
    """A DEALER whose handshake is done."""
    with second("pyzmq_peer", kind, how) as server:
        context = zmq.Context()
        socket = context.socket(zmq.DEALER)
        socket.set_hwm(QUEUE)
        if kind == "curve":
            socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
            socket.curve_serverkey = server["key"].encode()
        socket.connect(server["address"])
        socket.send(LAST)
        socket.recv()
        yield socket
        context.destroy(linger=0)


def tell(kind: Kind, count: int, size: int) -> float:
    """Return single frames per second, received by the other process."""
    frame = bytes(size) if size else FRAME
    with connected(kind, "count") as socket:

        def work(total: int) -> None:
            send = socket.send
            for _ in range(total):
                send(frame)
            send(LAST)
            socket.recv()

        work(stopwatch.warm_up(count))
        return count / stopwatch.seconds(lambda: work(count))


def ask(kind: Kind, count: int) -> float:
    """Return microseconds per round trip, one at a time."""
    with connected(kind, "echo") as socket:

        def work(total: int) -> None:
            send, recv = socket.send, socket.recv
            for _ in range(total):
                send(FRAME)
                recv()

        work(stopwatch.warm_up(count))
        return stopwatch.seconds(lambda: work(count)) / count * 1e6


def asks(kind: Kind, count: int) -> float:
    """Return round trips per second, 256 on their way at any time."""
    with connected(kind, "echo") as socket:

        def work(total: int) -> None:
            send, recv = socket.send, socket.recv
            for _ in range(IN_FLIGHT):
                send(FRAME)
            for _ in range(total):
                recv()
                send(FRAME)
            for _ in range(IN_FLIGHT):
                recv()

        work(stopwatch.warm_up(count))
        return (count + IN_FLIGHT) / stopwatch.seconds(lambda: work(count))


def close() -> None:
    """Leave nothing to end: every measure ends its own second process."""


def _measures(kind: Kind) -> dict[str, Callable[[int], float]]:
    return {
        f"tell_{kind}": lambda count: tell(kind, count, 0),
        f"tell_1k_{kind}": lambda count: tell(kind, count, KB),
        f"tell_64k_{kind}": lambda count: tell(kind, count, 64 * KB),
        f"ask_{kind}": lambda count: ask(kind, count),
        f"asks_{kind}": lambda count: asks(kind, count),
    }


MEASURES: dict[str, Callable[[int], float]] = {**_measures("curve"), **_measures("ipc")}
