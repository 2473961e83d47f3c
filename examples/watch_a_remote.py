"""Watch an actor of another process: exactly one `Down`, whether it ends or its process dies.

Run it and see:

    $ python examples/watch_a_remote.py
    mob://far/first is gone: shutdown
    mob://far/second is gone: unreachable
"""

from __future__ import annotations

import logging
import multiprocessing as mp
import queue
from typing import Any

from actors import Actor, ActorSystem, Down, Message, handles

logging.disable(logging.WARNING)  # that a node is lost is logged; here we expect it


class Watch(Message):
    name: str


class Guard(Actor):
    def __init__(self, refs: dict[str, Any], news: queue.Queue[Down]) -> None:
        super().__init__()
        self.refs, self.news = refs, news

    @handles
    def begin(self, message: Watch) -> None:
        self.watch(self.refs[message.name])

    @handles
    def down(self, message: Down) -> None:
        self.news.put(message)


def _serve(pipe: Any) -> None:
    with ActorSystem("far") as system:
        for name in ("first", "second"):
            system.start(Actor, name=name, wait=True)
        pipe.send(system.listen("ipc"))
        pipe.poll(None)


if __name__ == "__main__":
    ours, theirs = mp.Pipe()
    far = mp.get_context("spawn").Process(target=_serve, args=(theirs,))
    far.start()
    with ActorSystem("near") as system:
        system.connect(ours.recv())
        refs = {name: system.ref(f"mob://far/{name}") for name in ("first", "second")}
        news: queue.Queue[Down] = queue.Queue()
        guard = system.start(Guard, refs, news)
        for name, end in (("first", refs["first"].stop), ("second", far.kill)):
            guard.ask(Watch(name=name))
            end()
            print(f"{(down := news.get()).address} is gone: {down.reason}")
