"""Lengths of time as users give them."""

from __future__ import annotations

import math


def check_seconds(value: object) -> float:
    """Return a timeout as it was given.

    Raises:
        ValueError: It is not a finite number, 0 or more; nothing else was done with it.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"timeout must be a finite number of seconds, 0 or more, not {value!r}")
    return float(value)
