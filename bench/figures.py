"""What is made of samples: the best one, a percentile, how a cost grows. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

LOWER_IS_BETTER: Final = frozenset({"us", "ms", "s", "B", "exponent"})
"""Units of times, sizes and growth; whatever else is measured is a rate."""


def best(unit: str, figures: Sequence[float]) -> float | None:
    """Return the best figure of a unit, None of no figures: noise only ever makes one worse."""
    if unit in LOWER_IS_BETTER:
        return min(figures, default=None)
    return max(figures, default=None)


def growth_exponent(small: tuple[float, float], large: tuple[float, float]) -> float:
    """Return k where cost grows as size to the power of k: 1 is linear, 2 quadratic.

    Args:
        small: Size and cost of the smaller measure.
        large: Size and cost of the larger one.

    Raises:
        ValueError: A size or a cost is not positive, or the sizes are not in ascending order.
    """
    (small_size, small_cost), (large_size, large_cost) = small, large
    if not 0 < small_size < large_size:
        raise ValueError(f"sizes {small_size:g} and {large_size:g} are not ascending")
    if min(small_cost, large_cost) <= 0:
        raise ValueError(f"costs {small_cost:g} and {large_cost:g} are not positive")
    return math.log(large_cost / small_cost) / math.log(large_size / small_size)


def percentile(figures: Sequence[float], percent: float) -> float:
    """Return the smallest figure that at least `percent` % of the figures do not exceed.

    The nearest rank, not interpolated: of fewer than 100 figures the 99th percentile is the worst.

    Raises:
        ValueError: There are no figures, or `percent` is not in (0, 100].
    """
    if not figures:
        raise ValueError("a percentile of nothing")
    if not 0 < percent <= 100:
        raise ValueError(f"{percent:g} is not in (0, 100]")
    rank = math.ceil(len(figures) * percent / 100)
    return sorted(figures)[rank - 1]
