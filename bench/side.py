"""One sample in a process of its own: `python -m bench.side MODULE MEASURE COUNT`.

A fresh process per sample keeps the heap, the threads and a crash of one measure out of the next.
Prints the figure, or the figures by name, as JSON on the last line of standard output.
"""

from __future__ import annotations

import importlib
import json
import sys


def main(module_name: str, measure: str, count: str) -> None:
    """Run one measure and print its figure."""
    module = importlib.import_module(f"bench.{module_name}")
    try:
        figure = module.MEASURES[measure](int(count))
    finally:
        module.close()
    print(json.dumps(figure))


if __name__ == "__main__":
    main(*sys.argv[1:])
