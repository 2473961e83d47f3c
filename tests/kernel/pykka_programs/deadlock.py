"""Two clerks who wait for each other's stamp: the deadlock that every guide to actors has."""
# ruff: noqa: T201 - a program talks on standard output

from __future__ import annotations

import logging
import sys
from typing import Any

import pykka
import pykka.debug

PATIENCE_S = 2.0


class Clerk(pykka.ThreadingActor):
    use_daemon_thread = True  # one that hangs does not keep the program

    def __init__(self, desk: str) -> None:
        super().__init__()
        self.desk = desk

    def stamp(self, *others: Any) -> str:
        if not others:
            return self.desk
        other, *rest = others
        return f"{self.desk}, {other.stamp(*rest).get()}"


def main() -> None:
    a, b, c = (Clerk.start(desk).proxy() for desk in "abc")
    print(a.stamp(b, c).get(timeout=10))
    try:
        print(a.stamp(b, a).get(timeout=PATIENCE_S))
    except pykka.Timeout:
        print("they wait for each other")
        logging.basicConfig(level=logging.CRITICAL, format="%(message)s", stream=sys.stderr)
        pykka.debug.log_thread_tracebacks()
        return
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the program learns
        print(type(error).__name__)
    print(c.stamp().get(timeout=10))
    print(pykka.ActorRegistry.stop_all(timeout=10))


if __name__ == "__main__":
    main()
