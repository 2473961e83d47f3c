"""A till: an actor that is told and asked plain messages, without a proxy."""
# ruff: noqa: T201 - a program talks on standard output

from __future__ import annotations

from typing import Any

import pykka


class Till(pykka.ThreadingActor):
    def __init__(self, float_cents: int) -> None:
        super().__init__()
        self.cents = float_cents
        self.receipts: list[str] = []

    def on_start(self) -> None:
        print(f"open with {self.cents}")

    def on_stop(self) -> None:
        print(f"closed with {self.cents}")

    def on_receive(self, message: Any) -> Any:
        match message:
            case {"pay": int(cents), "for": str(what)}:
                if cents <= 0:
                    raise ValueError(f"{what} costs nothing")
                self.cents += cents
                self.receipts.append(what)
                return len(self.receipts)
            case "receipts":
                return tuple(self.receipts)
            case _:
                return super().on_receive(message)


def main() -> None:
    till = Till.start(500)
    till.tell({"pay": 120, "for": "tea"})
    print("receipt", till.ask({"pay": 250, "for": "cake"}))
    later = till.ask({"pay": 90, "for": "milk"}, block=False)
    try:
        till.ask({"pay": 0, "for": "air"})
    except ValueError as error:
        print("refused:", error)
    print("what is this?", till.ask(42))
    print("receipt", later.get(timeout=5))
    print(till.ask("receipts"))
    print("alive", till.is_alive(), "stopped", till.stop(), "again", till.stop())
    try:
        till.tell("too late")
    except pykka.ActorDeadError:
        print("nobody there")


if __name__ == "__main__":
    main()
