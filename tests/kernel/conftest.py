"""Fixtures: a real system, a simulated world, and a system inside it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from actors import ActorSystem
from actors.kernel.simulation import SimulatedWorld, simulated


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    with ActorSystem("test") as system:
        yield system
    if system.wires is not None:  # MOB_WIRE=1
        assert system.wires.crossed.value() == system.wires.encoded.value()


@pytest.fixture
def world() -> Iterator[SimulatedWorld]:
    with simulated(seed=7, free_choices=0) as world:
        yield world


@pytest.fixture
def sim(world: SimulatedWorld) -> Iterator[ActorSystem]:
    """A system whose time is virtual."""
    with ActorSystem("sim", scheduler=world) as system:
        yield system
