"""A pool of resolvers that look names up side by side; who is wrong does not harm the others."""
# ruff: noqa: T201 - a program talks on standard output

from __future__ import annotations

import threading

import pykka

NAMES = {"north": 1, "east": 2, "south": 3, "west": 4}


class Resolver(pykka.ThreadingActor):
    use_daemon_thread = True

    def __init__(self, together: threading.Barrier) -> None:
        super().__init__()
        self.together = together
        self.resolved = 0

    def meet(self) -> str:
        self.together.wait(timeout=10)  # passes only if all of the pool are in it
        return "met"

    def resolve(self, name: str) -> int:
        number = NAMES[name]
        self.resolved += 1
        return number


def main() -> None:
    size = 3
    together = threading.Barrier(size)
    pool = [Resolver.start(together).proxy() for _ in range(size)]
    print(pykka.get_all([each.meet() for each in pool], timeout=10))

    names = [*NAMES, "up", *reversed(NAMES)]
    answers = [pool[n % size].resolve(name) for n, name in enumerate(names)]
    for name, answer in zip(names, answers, strict=True):
        try:
            print(name, answer.get(timeout=10))
        except KeyError as error:
            print("nobody knows", error)

    print("resolved", [each.resolved.get() for each in pool])
    print("of the class", len(pykka.ActorRegistry.get_by_class(Resolver)))
    print(pykka.ActorRegistry.stop_all(timeout=10))
    print("left", pykka.ActorRegistry.get_all())


if __name__ == "__main__":
    main()
