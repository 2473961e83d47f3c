"""Two processes, joined by tcp with CURVE: each side knows the other's key and lets nobody else in.

Run it and see:

    $ python examples/two_processes.py
    told 1,000 orders, it counted 1,000
"""

from __future__ import annotations

import multiprocessing as mp
from typing import Any

from actors import Actor, ActorSystem, Message, Request, handles
from transport.allowed import Allowed
from transport.security import new_key_pair


class Order(Message, tag="shop.order"):
    pieces: int  # what leaves a process has a tag, by which the other side finds its class


class Count(Request[int], tag="shop.count"): ...


class Shop(Actor):
    pieces = 0

    @handles
    def order(self, message: Order) -> None:
        self.pieces += message.pieces

    @handles
    def count(self, message: Count) -> int:
        return self.pieces


def _serve(pipe: Any, visitor: str) -> None:
    keys, allowed = new_key_pair("shop"), Allowed()
    allowed.allow(visitor, "visitor", ["host"])  # its public key and role
    with ActorSystem("shop", keys=keys, allowed=allowed) as system:
        system.start(Shop, name="counter", wait=True)
        pipe.send((system.listen("tcp://127.0.0.1:*"), keys.public))
        pipe.poll(None)


if __name__ == "__main__":
    keys = new_key_pair("visitor")
    ours, theirs = mp.Pipe()
    mp.get_context("spawn").Process(target=_serve, args=(theirs, keys.public)).start()
    address, key = ours.recv()
    with ActorSystem("visitor", keys=keys) as system:
        counter: Any = system.ref(f"mob://{system.connect(address, key=key)}/counter")
        for _ in range(1_000):
            counter.tell(Order(pieces=1), timeout=10)
        print(f"told 1,000 orders, it counted {counter.ask(Count()):,}")
    ours.send(None)
