"""An error that a script declares crosses between processes that know the script by other names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from tests.system.remote.node_process import PATIENCE_S, environment

SHOP = """
import sys
from multiprocessing import Pipe, get_context

from actors import Actor, ActorSystem, Request, handles


class SoldOut(Exception):
    pass


class Tagged(Exception):
    wire_tag = "test.sold_out"


class Buy(Request[int], tag="test.buy"):
    tagged: bool


class Shop(Actor):
    @handles(raises=(SoldOut, Tagged))
    def buy(self, message: Buy) -> int:
        raise (Tagged if message.tagged else SoldOut)("no tickets")


def serve(pipe, node):
    with ActorSystem(node) as system:
        system.start(Shop, name="shop", wait=True)
        pipe.send(system.listen("ipc"))
        pipe.recv()


def ask(node, *wanted):
    ours, theirs = Pipe()
    child = get_context("spawn").Process(target=serve, args=(theirs, node))
    child.start()
    try:
        with ActorSystem("asker") as system:
            shop = system.ref(f"mob://{system.connect(ours.recv())}/shop")
            for tagged in (False, True):
                try:
                    shop.ask(Buy(tagged=tagged))
                except Exception as error:
                    print(type(error) in wanted, type(error).__name__, error)
    finally:
        ours.send(None)
        child.join(10)


if __name__ == "__main__":
    ask(sys.argv[1], SoldOut, Tagged)
"""

IMPORTER = """
import sys
import shop

if __name__ == "__main__":
    shop.ask(sys.argv[1], shop.SoldOut, shop.Tagged)
"""

# The asker's own class, of another module: the tag says that it is the same error.
OTHER = """
import sys
import shop
from actors import Actor, Request, handles


class Refused(Exception):
    wire_tag = "test.sold_out"


class Other(Request[int], tag="test.other"):
    pass


class Taker(Actor):
    @handles(raises=(Refused,))
    def take(self, message: Other) -> int:
        return 1


if __name__ == "__main__":
    shop.ask(sys.argv[1], shop.SoldOut, Refused)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("shop", SHOP), ("importer", IMPORTER), ("other", OTHER)):
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def said(folder: Path, *program: str) -> list[str]:
    """What a program prints, given the name for a node."""
    done = subprocess.run(
        [sys.executable, *program, f"shop-{uuid4().hex[:8]}"],
        cwd=folder,
        env=environment(),
        timeout=2 * PATIENCE_S,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("program", [["shop.py"], ["-m", "shop"], ["importer.py"]], ids=" ".join)
def test_it_arrives_as_itself_from_a_spawned_child(folder: Path, program: list[str]) -> None:
    assert said(folder, *program) == ["True SoldOut no tickets", "True Tagged no tickets"]


def test_classes_of_two_modules_are_one_error_by_their_tag(folder: Path) -> None:
    assert said(folder, "other.py")[1] == "True Refused no tickets"
