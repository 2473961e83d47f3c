"""A player: attributes, properties, methods and inner objects, all reached through a proxy."""
# ruff: noqa: T201 - a program talks on standard output

from __future__ import annotations

import pykka


@pykka.traversable
class Volume:
    def __init__(self) -> None:
        self.level = 5

    def up(self, by: int = 1) -> int:
        self.level = min(self.level + by, 11)
        return self.level


class Player(pykka.ThreadingActor):
    makes = "noise"

    def __init__(self, *tracks: str) -> None:
        super().__init__()
        self.tracks = list(tracks)
        self.volume = Volume()
        self._position = 0

    @property
    def position(self) -> int:
        return self._position

    @position.setter
    def position(self, value: int) -> None:
        if not 0 <= value < len(self.tracks):
            raise IndexError(value)
        self._position = value

    def play(self, times: int = 1) -> str:
        return " ".join([self.tracks[self._position]] * times)

    def lengths(self) -> list[int]:
        return [len(track) for track in self.tracks]


def main() -> None:
    player = Player.start("la", "lala", "lalala").proxy()
    print(player.makes.get(), player.tracks.get(), player.play(times=2).get())

    player.position = 2
    print("position", player.position.get(), player.play().get())
    try:
        player.position = 7
    except IndexError as error:
        print("no position", error)

    print("volume", player.volume.level.get(), player.volume.up(3).get(), player.volume.up(9).get())
    player.volume.level = 2
    print("volume", player.volume.level.get())

    lengths = player.lengths()
    print(
        lengths.get(),
        lengths.filter(lambda n: n > 2).get(),
        lengths.map(sum).get(),
        lengths.reduce(lambda a, b: a * b).get(),
        lengths.join(player.position, player.makes).get(),
    )

    for name in ("_position", "rewind"):
        try:
            getattr(player, name)
        except AttributeError as error:
            print("no attribute", str(error).rpartition(" ")[2])
    print("same", player == player.actor_ref.proxy(), "play" in dir(player))
    print("stopped", player.stop().get())


if __name__ == "__main__":
    main()
