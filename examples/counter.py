"""An actor, a question with a typed answer, and what a failure costs.

Run it and see:

    $ python examples/counter.py
    total 3
    the asker learned: mob://demo/counter failed on Halve: ValueError: 3 is odd
    and it lives on: total 0
"""

from __future__ import annotations

import logging

from actors import Actor, ActorSystem, ChildSpec, Message, Request, handles
from actors.kernel.errors import ActorFailed

logging.disable(logging.ERROR)  # the kernel logs the failure with its traceback; here we expect it


class Add(Message):
    n: int


class Halve(Request[int]):
    pass


class Total(Request[int]):
    pass


class Counter(Actor):
    total = 0

    @handles
    def add(self, message: Add) -> None:
        self.total += message.n

    @handles
    def halve(self, message: Halve) -> int:
        if self.total % 2:
            raise ValueError(f"{self.total} is odd")  # not declared, so a failure of the actor
        return self.total // 2

    @handles
    def read(self, message: Total) -> int:
        return self.total


if __name__ == "__main__":
    with ActorSystem("demo") as system:
        counter = system.spawn(ChildSpec(Counter, name="counter", backoff_s=0.01))
        counter.tell(Add(n=3))
        print("total", counter.ask(Total()))
        try:
            counter.ask(Halve())
        except ActorFailed as error:
            print("the asker learned:", error)
        print("and it lives on: total", counter.ask(Total()))  # a fresh instance, same mailbox
