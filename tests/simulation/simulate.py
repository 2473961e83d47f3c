"""Many seeds for long: what `scripts/simulate` runs.

python -m tests.simulation.simulate [--seeds N] [--from S] [--kind kernel|mob|both] [--jobs J]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from tests.simulation import kernel_schedules, schedules
from tests.simulation.campaign import JOBS, campaign

MODULES: Final = {"kernel": kernel_schedules.MODULE, "mob": schedules.MODULE}
PART: Final = 20_000  # seeds between two lines that say how far it is


def main(arguments: Sequence[str]) -> int:
    """Run the seeds; 1 if a schedule failed."""
    parser = argparse.ArgumentParser(
        prog="scripts/simulate",
        description="Run seeded schedules, say how fast, and show every failure made smaller.",
    )
    parser.add_argument("--seeds", type=int, default=100_000, help="of each kind (100,000)")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed (0)")
    parser.add_argument("--kind", choices=[*MODULES, "both"], default="both")
    parser.add_argument("--jobs", type=int, default=JOBS, help=f"processes ({JOBS})")
    parser.add_argument("--plant", default="", help="plant a bug, to see it found")
    asked = parser.parse_args(arguments)
    if asked.seeds < 1 or asked.jobs < 1 or asked.first < 0:
        parser.error("--seeds and --jobs are at least 1, --from at least 0")
    failed = False
    for kind in MODULES if asked.kind == "both" else (asked.kind,):
        for start in range(asked.first, asked.first + asked.seeds, PART):
            count = min(PART, asked.first + asked.seeds - start)
            report = campaign(MODULES[kind], start, count, asked.jobs, plant=asked.plant)
            failed = failed or bool(report.failures)
            sys.stdout.write(
                f"{kind}: seeds {start} to {start + count - 1}, {report.took_s:.0f} s, "
                f"{report.per_s:.0f} schedules/s in {asked.jobs} processes, "
                f"{'FAILED' if report.failures else 'all hold'}\n"
            )
            for text in report.failures:
                sys.stdout.write(f"{text}\n")
            sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
