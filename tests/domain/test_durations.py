"""A timeout that users give is a finite number of seconds, or refused before anything is done."""

from __future__ import annotations

import pytest

from actors.domain.durations import check_seconds


@pytest.mark.parametrize("value", [0, 0.5, 3600])
def test_a_finite_number_is_taken_as_it_is(value: float) -> None:
    assert check_seconds(value) == value


@pytest.mark.parametrize("value", [-0.1, float("inf"), float("nan"), "1", None, True])
def test_everything_else_is_refused_by_what_it_is(value: object) -> None:
    with pytest.raises(ValueError, match="finite number of seconds") as refused:
        check_seconds(value)

    assert repr(value) in str(refused.value)
