"""The rules of supervision, pure: who starts again, and after how long."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.kernel.supervision import Again, ChildSpec, GiveUp, RestartLog


class Child:
    def __init__(self, *args: object, **kwargs: object) -> None:
        self.made_with = (args, kwargs)


def spec(**changes: Any) -> ChildSpec[Child]:
    return dataclasses.replace(ChildSpec(Child), **changes)


def delays(spec: ChildSpec[Child], times: list[float], chance: float = 0.5) -> list[float | None]:
    log = RestartLog()
    found: list[float | None] = []
    for now in times:
        decision = log.decide(spec, failed=True, now=now, chance=chance)
        found.append(decision.delay_s if isinstance(decision, Again) else None)
    return found


@pytest.mark.parametrize(
    ("restart", "failed", "again"),
    [
        ("permanent", True, True),
        ("permanent", False, True),
        ("transient", True, True),
        ("transient", False, False),
        ("temporary", True, False),
        ("temporary", False, False),
    ],
)
def test_restart_type_and_kind_of_end_decide(restart: str, failed: bool, again: bool) -> None:
    decision = RestartLog().decide(spec(restart=restart), failed=failed, now=0, chance=0.5)

    assert isinstance(decision, Again) is again


def test_back_off_doubles_up_to_its_cap() -> None:
    patient = spec(intensity=10, backoff_s=0.2, backoff_cap_s=2)

    assert delays(patient, [0] * 6) == pytest.approx([0.2, 0.4, 0.8, 1.6, 2.0, 2.0])


def test_back_off_stays_at_its_cap_after_thousands_of_restarts() -> None:
    assert delays(spec(intensity=3_000), [0] * 3_000)[-1] == 30


@pytest.mark.parametrize(("chance", "delay"), [(0.0, 0.16), (0.5, 0.2), (1 - 1e-12, 0.24)])
def test_jitter_is_twenty_per_cent_either_way(chance: float, delay: float) -> None:
    assert delays(spec(), [0], chance) == pytest.approx([delay])


def test_more_than_five_restarts_in_sixty_seconds_exhaust_the_budget() -> None:
    found = delays(spec(), [0, 1, 2, 3, 4, 5])

    assert found[-1] is None
    assert None not in found[:-1]


def test_the_reason_of_giving_up_names_the_budget() -> None:
    decision = RestartLog().decide(spec(intensity=0), failed=True, now=0, chance=0)

    assert decision == GiveUp("more than 0 restarts in 60 s")


def test_restarts_older_than_the_period_are_forgotten() -> None:
    found = delays(spec(intensity=2), [0, 1, 60.5, 61.5])

    assert found == pytest.approx([0.2, 0.4, 0.4, 0.4])


@given(
    st.lists(st.floats(0, 30), min_size=1, max_size=40),
    st.integers(0, 6),
    st.floats(0, 1, exclude_max=True),
)
def test_no_period_ever_holds_more_restarts_than_its_intensity(
    gaps: list[float], intensity: int, chance: float
) -> None:
    log, now, restarts = RestartLog(), 0.0, list[float]()
    for gap in gaps:
        now += gap
        decision = log.decide(spec(intensity=intensity), failed=True, now=now, chance=chance)
        if isinstance(decision, Again):
            assert 0 < decision.delay_s <= 30 * 1.2
            restarts.append(now)

    for start in restarts:
        assert sum(start <= then < start + 60 for then in restarts) <= intensity


def test_a_spec_makes_instances_from_its_arguments() -> None:
    made = ChildSpec(Child, (1, 2), {"key": 3}).make()

    assert made.made_with == ((1, 2), {"key": 3})


@pytest.mark.parametrize(
    "wrong",
    [
        {"intensity": -1},
        {"period_s": 0},
        {"mailbox": 0},
        {"jitter": 1},
        {"jitter": -0.1},
        {"backoff_s": -1},
        {"backoff_cap_s": -1},
        {"shutdown_s": -1},
    ],
)
def test_a_spec_refuses_numbers_without_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=str(next(iter(wrong.values())))):
        spec(**wrong)
