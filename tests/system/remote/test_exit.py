"""A process with a network ends when its program does, whatever its peer does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system.remote.node_process import ROOT, Nodes, environment, nodes, until, upto

EXIT_S = 10.0
TOLD = 200
# It does not shut anything down: it returns from its last line.
SCRIPT = f"""
import sys
from pathlib import Path
from actors import ActorSystem
from tests.system.remote.node_program import Numbered
from transport.allowed import Allowed
from transport.security import load_key_pair

keys = load_key_pair(Path(sys.argv[1]), "script")
system = ActorSystem("script", keys=keys, allowed=Allowed())
system.listen("tcp://127.0.0.1:*")
node = system.connect(sys.argv[2], key=sys.argv[3])
ref = system.ref(f"mob://{{node}}/ledger")
print("connected", flush=True)
sys.stdin.readline()
for number in range(1, {TOLD} + 1):
    ref.tell(Numbered(load="script", number=number))
"""


@contextmanager
def script(made: Nodes, address: str, key: str) -> Iterator[subprocess.Popen[str]]:
    """The script, as far as it is connected."""
    made.pair("script")
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(made.folder / "keys"), address, key],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "connected\n"
            yield process
        finally:
            process.kill()


def test_a_program_that_returns_ends_and_what_it_told_arrives(tmp_path: Path) -> None:
    with nodes(tmp_path) as made:
        server, address = made.listening("server", "script")

        with script(made, address, server.key) as process:
            _, errors = process.communicate("go\n", timeout=EXIT_S)

        assert process.returncode == 0
        assert "Traceback" not in errors
        until(lambda: len(made.lines("server")) == TOLD, "all of it arrives")
        assert made.numbers("server", "script") == upto(TOLD)


def test_a_program_ends_while_its_peer_is_stopped(tmp_path: Path) -> None:
    with nodes(tmp_path) as made:
        server, address = made.listening("server", "script")

        with script(made, address, server.key) as process:
            server.pause()
            process.communicate("go\n", timeout=EXIT_S)

        assert process.returncode == 0


def test_a_program_ends_after_its_peer_was_killed(tmp_path: Path) -> None:
    with nodes(tmp_path) as made:
        server, address = made.listening("server", "script")

        with script(made, address, server.key) as process:
            server.kill()
            process.communicate("go\n", timeout=EXIT_S)

        assert process.returncode == 0
