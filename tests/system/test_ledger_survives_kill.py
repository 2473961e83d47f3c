"""A real process appends and is killed at random moments; nothing it was promised is lost."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path
from random import Random

from actors.stores import LedgerCheck, SqliteLedger, verify_store

ROUNDS = 10

# Each line is an acknowledgement: it is written after append returned, with the entry's text.
APPENDER = """
import sys
from itertools import count
from pathlib import Path
from actors.domain.events import MemberHeld
from actors.stores import SqliteLedger
ledger = SqliteLedger(Path(sys.argv[1]), "panel")
for n in count():
    batch = [MemberHeld(identity=f"{sys.argv[2]}-{n}", reason="r" * (n * 37 % 900))] * (1 + n % 7)
    print(ledger.append(batch, at_ms=n), batch[0].identity, flush=True)
"""


def test_every_acknowledged_entry_survives_kill(tmp_path: Path) -> None:
    chance = Random(19)
    acknowledged: dict[int, str] = {}

    for number in range(ROUNDS):
        with subprocess.Popen(
            [sys.executable, "-c", APPENDER, str(tmp_path), f"round{number}"],
            stdout=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdout is not None
            # The moment is random twice: after so many acknowledgements, and in the midst of
            # whatever the child does by then, since it never waits for us.
            lines = [child.stdout.readline() for _ in range(chance.randrange(1, 400))]
            child.kill()
            lines += child.stdout.readlines()
        assert child.returncode == -9
        for line in lines:
            if line.endswith("\n"):  # the last one may be torn
                cursor, identity = line.split()
                acknowledged[int(cursor)] = identity

        check = verify_store(tmp_path)
        assert check.ok, check.problem
        assert check.entries >= max(acknowledged)

    entries: dict[int, str | None] = {}
    with closing(SqliteLedger(tmp_path, "panel")) as ledger:
        while page := ledger.read(len(entries)):
            for entry in page:
                assert entry.cursor == len(entries) + 1
                entries[entry.cursor] = getattr(entry.event, "identity", None)
        assert ledger.verify() == LedgerCheck(ok=True, entries=len(entries))
    assert {cursor: entries.get(cursor) for cursor in acknowledged} == acknowledged
    assert len(acknowledged) > ROUNDS
