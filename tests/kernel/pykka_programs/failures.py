"""A worker that breaks, and a foreman who hires another one: supervision by hand."""
# ruff: noqa: T201 - a program talks on standard output

from __future__ import annotations

import logging
from typing import Any

import pykka

logging.getLogger().addHandler(logging.NullHandler())  # the log is not what is compared here


class Worker(pykka.ThreadingActor):
    def __init__(self, foreman: pykka.ActorRef[Any], number: int) -> None:
        super().__init__()
        self.foreman, self.number = foreman, number

    def on_start(self) -> None:
        print(f"worker {self.number} begins")

    def on_stop(self) -> None:
        print(f"worker {self.number} goes home")

    def on_failure(self, kind: Any, value: Any, trace: Any) -> None:
        self.foreman.tell(("broken", self.number, kind.__name__))

    def on_receive(self, message: Any) -> Any:
        return 100 // message


class Foreman(pykka.ThreadingActor):
    def __init__(self, report: pykka.Future[str]) -> None:
        super().__init__()
        self.report = report
        self.hired = 0

    def hire(self) -> pykka.ActorRef[Any]:
        self.hired += 1
        return Worker.start(self.actor_ref, self.hired)

    def on_receive(self, message: Any) -> None:
        match message:
            case ("broken", number, why):
                self.report.set(f"worker {number} broke by {why}")


def main() -> None:
    report: pykka.Future[str] = pykka.ThreadingFuture()
    foreman = Foreman.start(report)
    worker = foreman.proxy().hire().get()
    print("asked", worker.ask(5))
    try:
        worker.ask(0)
    except ZeroDivisionError as error:
        print("the asker is told:", error, "- alive", worker.is_alive())
    worker.tell(0)
    print(report.get(timeout=10))
    worker.actor_stopped.wait(10)
    print("alive", worker.is_alive())

    second = foreman.proxy().hire().get()
    print("asked", second.ask(4), "hired", foreman.proxy().hired.get())
    print(pykka.ActorRegistry.stop_all())


if __name__ == "__main__":
    main()
