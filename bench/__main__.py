"""The command behind `scripts/bench`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from bench import anatomy, local, peers, remote, report, runner

SUITES = {"local": local.ROWS, "remote": remote.ROWS}
ROUNDS = 5
QUICK_ROUNDS = 2


def main() -> int:
    """Measure, print the table, write the document; exit 1 when a row could not be measured."""
    options = _options()
    if options.suite == "profile":
        anatomy.show(quick=options.quick)
        return 0
    rows = [row for row in SUITES[options.suite] if options.only in row.name]
    if not rows:
        print(f"no row has {options.only!r} in its name", file=sys.stderr)
        return 2
    load = os.getloadavg()[0]
    try:
        python = peers.fast_interpreter() if options.uvloop else Path(sys.executable)
    except peers.PeerAbsent as error:
        print(error, file=sys.stderr)
        return 2
    loop = "uvloop" if peers.has_uvloop(python) else "asyncio"
    named = dict.fromkeys(name for row in rows for name in row.peers)
    pythons, absent = peers.interpreters(named)
    versions = {name: peers.version(name, pythons[name]) for name in pythons}
    live = sys.stderr.isatty()

    def progress(text: str) -> None:
        if live:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    results = runner.run(
        rows,
        pythons={runner.OURS: python, **pythons},
        absent=absent,
        loop=loop,
        rounds=options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS),
        quick=options.quick,
        progress=progress,
    )
    progress("")
    taken = report.Circumstances(options.suite, options.quick, load, loop, versions, absent)
    report.show(results, taken)
    if options.json is not None:
        found = report.document(results, taken)
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 1 if any(result.problem is not None for result in results) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure beside the peers, in one run. A missed target is shown, not an error.",
    )
    parser.add_argument(
        "suite",
        choices=[*sorted(SUITES), "profile"],
        help="what to measure; profile: where the time of a tell and an ask goes",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows there")
    parser.add_argument("--quick", action="store_true", help="short form, for ratios only")
    parser.add_argument("--rounds", type=int, help=f"samples per side (default {ROUNDS})")
    parser.add_argument("--only", metavar="TEXT", default="", help="rows whose name has TEXT")
    parser.add_argument(
        "--uvloop", action="store_true", help="with uvloop, ours and the peers' on asyncio"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
