"""What is made of samples: the best one, growth, percentiles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.figures import best, growth_exponent, percentile

sizes = st.floats(min_value=1, max_value=1e9)
exponents = st.floats(min_value=0, max_value=3)


@pytest.mark.parametrize("unit", ["us", "ms", "s", "B", "exponent"])
def test_the_best_time_size_or_growth_is_the_smallest(unit: str) -> None:
    assert best(unit, [3.0, 1.0, 2.0]) == 1.0


def test_the_best_rate_is_the_largest() -> None:
    assert best("1/s", [3.0, 1.0, 2.0]) == 3.0


@pytest.mark.parametrize("unit", ["us", "1/s"])
def test_there_is_no_best_of_nothing(unit: str) -> None:
    assert best(unit, []) is None


@given(size=sizes, factor=st.floats(min_value=2, max_value=1000), exponent=exponents)
def test_a_power_law_gives_its_own_exponent(size: float, factor: float, exponent: float) -> None:
    cost = 0.5 * size**exponent

    found = growth_exponent((size, cost), (size * factor, cost * factor**exponent))

    assert found == pytest.approx(exponent, abs=1e-6)


def test_ten_times_the_cost_for_ten_times_the_size_is_linear() -> None:
    assert growth_exponent((10_000, 30.0), (100_000, 300.0)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("small", "large"),
    [((10, 1.0), (10, 2.0)), ((0, 1.0), (10, 2.0)), ((10, 0.0), (20, 1.0)), ((10, 1.0), (20, -1))],
)
def test_growth_is_refused_between_sizes_or_costs_that_make_no_sense(
    small: tuple[float, float], large: tuple[float, float]
) -> None:
    with pytest.raises(ValueError, match="not"):
        growth_exponent(small, large)


def test_the_99th_percentile_leaves_out_one_in_a_hundred() -> None:
    figures = [float(n) for n in range(1, 101)]

    assert percentile(figures, 99) == 99.0
    assert percentile(figures, 100) == 100.0


def test_of_few_figures_the_99th_percentile_is_the_worst() -> None:
    assert percentile([5.0, 1.0, 3.0], 99) == 5.0


@given(st.lists(st.floats(allow_nan=False), min_size=1), st.floats(min_value=0.1, max_value=100))
def test_a_percentile_is_not_exceeded_by_its_share_of_the_figures(
    figures: list[float], percent: float
) -> None:
    found = percentile(figures, percent)

    assert found in figures
    assert sum(figure <= found for figure in figures) >= len(figures) * percent / 100


@pytest.mark.parametrize(("figures", "percent"), [([], 50), ([1.0], 0), ([1.0], 101)])
def test_a_percentile_of_nothing_or_out_of_range_is_refused(
    figures: list[float], percent: float
) -> None:
    with pytest.raises(ValueError, match=r"nothing|not in"):
        percentile(figures, percent)
