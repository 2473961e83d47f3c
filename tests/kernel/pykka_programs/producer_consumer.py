"""A mill, a bakery and a shop: producers that hand on what they made and wait for nothing."""
# ruff: noqa: T201 - a program talks on standard output

from __future__ import annotations

from typing import Any

import pykka

SACKS, LOAVES_PER_SACK = 4, 3


class Shop(pykka.ThreadingActor):
    def __init__(self) -> None:
        super().__init__()
        self.shelf: list[str] = []
        self.sold_out: pykka.Future[int] = pykka.ThreadingFuture()

    def deliver(self, loaf: str) -> None:
        self.shelf.append(loaf)
        if len(self.shelf) == SACKS * LOAVES_PER_SACK:
            self.sold_out.set(len(self.shelf))


class Bakery(pykka.ThreadingActor):
    def __init__(self, shop: Any) -> None:
        super().__init__()
        self._shop = shop
        self.baked = 0

    def bake(self, sack: int) -> int:
        for loaf in range(LOAVES_PER_SACK):
            self._shop.deliver.defer(f"{sack}.{loaf}")
            self.baked += 1
        return self.baked


class Mill(pykka.ThreadingActor):
    def __init__(self, bakery: Any) -> None:
        super().__init__()
        self._bakery = bakery
        self._later = self.actor_ref.proxy()  # grinds sack by sack, and hears others in between

    def grind(self, sack: int = 0) -> None:
        if sack == SACKS:
            return
        self._bakery.bake.defer(sack)
        self._later.grind(sack + 1)


def main() -> None:
    shop = Shop.start().proxy()
    bakery = Bakery.start(shop).proxy()
    mill = Mill.start(bakery).proxy()

    mill.grind()
    loaves = shop.sold_out.get().get(timeout=10)

    print("loaves", loaves, "baked", bakery.baked.get())
    print(*shop.shelf.get())
    for name in ("Mill", "Bakery", "Shop"):
        (ref,) = pykka.ActorRegistry.get_by_class_name(name)
        print(name, ref.stop())
    print("left", len(pykka.ActorRegistry.get_all()))


if __name__ == "__main__":
    main()
