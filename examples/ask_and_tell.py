"""A ref of an actor in another process is used as any other: tell, ask, and errors.

Run it and see:

    $ python examples/ask_and_tell.py
    its own error: nothing is in it
    ask: 7
"""

from __future__ import annotations

from multiprocessing import Pipe, connection, get_context

from actors import Actor, ActorSystem, Message, Request, handles


class NotEnough(Exception):
    """Arrives as itself, because a handler of both processes declares it."""


class Put(Message, tag="purse.put"):
    coins: int


class Count(Request[int], tag="purse.count"): ...


class Purse(Actor):
    coins = 0

    @handles
    def put(self, message: Put) -> None:
        self.coins += message.coins

    @handles(raises=(NotEnough,))
    def count(self, message: Count) -> int:
        if not self.coins:
            raise NotEnough("nothing is in it")
        return self.coins


def _serve(pipe: connection.Connection) -> None:
    with ActorSystem("bank") as system:
        system.start(Purse, name="purse", wait=True)
        pipe.send(system.listen("ipc"))
        pipe.poll(None)


if __name__ == "__main__":
    ours, theirs = Pipe()
    get_context("spawn").Process(target=_serve, args=(theirs,)).start()
    with ActorSystem("home") as system:
        purse = system.ref(f"mob://{system.connect(ours.recv())}/purse")
        try:
            purse.ask(Count())
        except NotEnough as error:
            print("its own error:", error)
        purse.tell(Put(coins=7))
        print("ask:", purse.ask(Count()))
    ours.send(None)
