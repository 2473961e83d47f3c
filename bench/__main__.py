"""The command behind `scripts/bench`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from bench import local, report, runner

SUITES = {"local": local.ROWS}
ROUNDS = 5
QUICK_ROUNDS = 2


def main() -> int:
    """Measure, print the table, write the document; exit 1 when a row could not be measured."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure beside the peers, in one run. A missed target is shown, not an error.",
    )
    parser.add_argument("suite", choices=sorted(SUITES), help="what to measure")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows there")
    parser.add_argument("--quick", action="store_true", help="short form, for ratios only")
    parser.add_argument("--rounds", type=int, help=f"samples per side (default {ROUNDS})")
    parser.add_argument("--only", metavar="TEXT", default="", help="rows whose name has TEXT")
    options = parser.parse_args()
    rows = [row for row in SUITES[options.suite] if options.only in row.name]
    if not rows:
        parser.error(f"no row has {options.only!r} in its name")

    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    load = os.getloadavg()[0]
    live = sys.stderr.isatty()

    def progress(text: str) -> None:
        if live:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    results = runner.run(rows, rounds=rounds, quick=options.quick, progress=progress)
    progress("")
    report.show(results, load=load)
    if options.json is not None:
        found = report.document(options.suite, results, quick=options.quick, load=load)
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 1 if any(result.problem is not None for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
