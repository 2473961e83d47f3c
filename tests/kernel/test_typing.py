"""`Request[Reply]` is typed end to end: what mypy knows is what users see in their editor."""

from __future__ import annotations

import re
from pathlib import Path

from mypy import api

ROOT = Path(__file__).resolve().parents[2]

SNIPPET = """
from actors import Actor, ActorSystem, ChildSpec, Message, Request, ThreadActor, handles

class Add(Message):
    n: int

class Total(Request[int]):
    pass

class Counter(Actor):
    def __init__(self, start: int) -> None:
        super().__init__()
        self.total = start

    @handles
    async def read(self, message: Total) -> int:
        return self.total

    @handles(stepped=True)
    async def step(self, message: Add) -> None:
        reveal_type(await self.actor_ref.request(Total()))
        reveal_type(self.spawn(ChildSpec(Counter, (0,))))

class Blocking(ThreadActor):
    pass

with ActorSystem("demo") as system:
    counter = system.start(Counter, 0)
    reveal_type(counter)
    reveal_type(counter.ask(Total()))
    future = counter.ask(Total(), block=False)
    print(reveal_type(future))
    reveal_type(counter.ask(Total(), timeout=1))
    answer = counter.request(Total())
    print(reveal_type(answer))
    reveal_type(system.spawn(ChildSpec(Counter, (0,))))
    reveal_type(system.start(Blocking))
    reveal_type(system.start(Blocking).ask(Total()))
    reveal_type(Counter.start(0))
    reveal_type(Blocking.start())
    reveal_type(Blocking.start().ask(Total()))
"""

REVEALED = [
    "int",
    "ActorRef[Counter]",
    "ActorRef[Counter]",
    "int",
    "ThreadReply[int]",
    "int",
    "Awaitable[int]",
    "ActorRef[Counter]",
    "ThreadRef[Blocking]",
    "int",
    "ActorRef[Counter]",
    "ThreadRef[Blocking]",
    "int",
]


def test_mypy_knows_the_reply_of_a_request_from_end_to_end(tmp_path: Path) -> None:
    snippet = tmp_path / "snippet.py"
    snippet.write_text(SNIPPET)
    config = str(ROOT / "setup.cfg")

    out, errors, status = api.run(
        ["--config-file", config, "--cache-dir", str(tmp_path / "cache"), str(snippet)]
    )

    revealed = re.findall(r'Revealed type is "(.+)"', out)
    short = [re.sub(r"[\w.]+\.", "", text) for text in revealed]
    assert (short, errors, status) == (REVEALED, "", 0), out
