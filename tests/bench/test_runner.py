"""Which samples are taken, and what becomes of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench import peers
from bench.rows import Growth, Row, Side
from bench.runner import OURS, SampleError, Samples, run, sample

PYTHON = Path(sys.executable)
NOTHING = Side("tests.bench.nothing", "none", 10, 1)


def measured(*rows: Row, absent: dict[str, str], rounds: int = 2) -> list[str | None]:
    told: list[str] = []
    results = run(
        rows,
        pythons={},
        absent=absent,
        loop="asyncio",
        rounds=rounds,
        quick=True,
        progress=told.append,
    )
    assert len(told) == rounds * len(rows)
    return [result.absent.get("xoscar") for result in results]


def test_a_peer_without_an_environment_is_not_sampled_and_keeps_its_word() -> None:
    row = Row("ask", "us", NOTHING, {"xoscar": NOTHING})

    assert measured(row, absent={"xoscar": "not installed"}) == ["not installed"]


def test_the_short_form_takes_the_short_count() -> None:
    quick = Samples({}, quick=True, loop="asyncio")
    full = Samples({}, quick=False, loop="asyncio")

    assert quick.task(OURS, NOTHING) == (OURS, "tests.bench.nothing", "none", 1)
    assert full.task(OURS, NOTHING) == (OURS, "tests.bench.nothing", "none", 10)


def test_growth_without_samples_has_no_exponent() -> None:
    samples = Samples({}, quick=False, loop="asyncio")
    large = Side("planning", "settled", 100, 100)

    assert samples.ours(Row("grows", "exponent", Growth(NOTHING, large))) is None


def test_a_sample_that_fails_says_what_and_why() -> None:
    with pytest.raises(SampleError, match=r"ours\.nonsense: KeyError: 'nonsense'"):
        sample(PYTHON, (OURS, "ours", "nonsense", 1), loop="asyncio")


def test_a_row_whose_sample_fails_has_a_problem_and_no_figure() -> None:
    row = Row("ask", "us", Side("ours", "nonsense", 1, 1))

    (result,) = run(
        [row],
        pythons={OURS: PYTHON},
        absent={},
        loop="asyncio",
        rounds=2,
        quick=True,
        progress=lambda _: None,
    )

    assert result.ours is None
    assert result.problem == "ours.nonsense: KeyError: 'nonsense'"


def test_a_measure_of_growth_samples_both_sizes() -> None:
    small, large = (Side("planning", "settled", size, size) for size in (20, 40))
    row = Row("grows", "exponent", Growth(small, large))

    (result,) = run(
        [row],
        pythons={OURS: PYTHON},
        absent={},
        loop="asyncio",
        rounds=1,
        quick=True,
        progress=lambda _: None,
    )

    assert result.problem is None
    assert result.ours is not None


@pytest.mark.parametrize("peer", sorted(peers.NEEDS))
def test_setup_cfg_has_a_line_for_everything_a_peer_needs(peer: str) -> None:
    lines = peers.requirements(peer)

    assert lines[0].startswith(f"{peer}==")
    assert len(lines) == len(peers.NEEDS[peer])
