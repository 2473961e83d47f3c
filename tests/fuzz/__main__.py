"""The command behind `scripts/fuzz [COUNT] [SEED]`."""

from __future__ import annotations

import secrets
import sys
import time

from tests.fuzz.campaign import run

MILLION = 1_000_000


def main(arguments: list[str]) -> int:
    """Run and print; 1 when the codec broke its promise."""
    try:
        count = int(arguments[0]) if arguments else MILLION
        seed = int(arguments[1]) if len(arguments) > 1 else secrets.randbelow(2**32)
    except ValueError:
        sys.stderr.write("usage: scripts/fuzz [COUNT] [SEED]\n")
        return 2
    began = time.monotonic()
    report = run(count, seed)
    took_s = time.monotonic() - began
    lines = [f"seed {seed}: {report.frames:,} damaged frames in {took_s:.0f} s"]
    lines += [f"{times:>11,}  {outcome}" for outcome, times in report.outcomes.most_common()]
    lines.append(f"slowest frame {report.slowest_ms:.1f} ms ({len(report.slowest):,} bytes)")
    lines.append(f"memory grew by {report.growth_mib:.1f} MiB")
    lines += [f"VIOLATION: {violation}" for violation in report.violations]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
