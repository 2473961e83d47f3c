"""A row of the bench: what is measured, beside whom, and what it must reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound on our figure: absolute, or times the figure of a peer.

    `at_least` for rates, `at_most` for times and sizes. A bound whose `peer` was not measured in
    this run cannot be judged.
    """

    sense: Literal["at_least", "at_most"]
    value: float
    peer: str | None = None

    def __str__(self) -> str:
        sign = ">=" if self.sense == "at_least" else "<="
        return f"{sign} {self.value:,.10g}" + (f" x {self.peer}" if self.peer else "")

    def met(self, ours: float, peers: Mapping[str, float]) -> bool | None:
        """Say whether `ours` keeps the bound; None when its peer has no figure."""
        bound = self.value
        if self.peer is not None:
            if self.peer not in peers:
                return None
            bound *= peers[self.peer]
        return ours >= bound if self.sense == "at_least" else ours <= bound


@dataclass(frozen=True, slots=True)
class Side:
    """Who is sampled: a module of this package, one of its measures, and how often it repeats.

    Attributes:
        count: Repetitions, or whatever the measure calls its size; `quick` in the short form.
        part: Which figure of a measure that returns several by name. Rows that read parts of one
            measure share its samples.
        rounds: At most so many samples, for measures that take many seconds.
    """

    module: str
    measure: str
    count: int
    quick: int
    part: str = ""
    rounds: int | None = None


@dataclass(frozen=True, slots=True)
class Growth:
    """The same measure at two sizes: the figure is the exponent with which its cost grows."""

    small: Side
    large: Side


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; `limits` must all hold (design §8).

    `peers` are sides by the name of the peer, in the order of `bench.peers.NEEDS`.
    """

    name: str
    unit: str
    ours: Side | Growth
    peers: Mapping[str, Side] = field(default_factory=dict)
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """A measured row.

    Attributes:
        ours: Our figure; None when it could not be measured, and `problem` says why.
        peers: The figures of the peers that were measured.
        absent: Why a peer of the row has no figure, in a few words by its name.
        problem: A sample of ours or of an installed peer that failed.
    """

    row: Row
    ours: float | None
    peers: Mapping[str, float] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None

    @property
    def ratios(self) -> dict[str, float]:
        """Ours divided by each peer's, in the row's own unit.

        Above 1 is better for a rate, below 1 for a time or a size. A peer without a figure, or
        with a figure of zero, is left out.
        """
        if self.ours is None:
            return {}
        return {name: self.ours / value for name, value in self.peers.items() if value}

    @property
    def met(self) -> bool | None:
        """Whether every limit holds; None when the row has none or one cannot be judged."""
        if self.ours is None or not self.row.limits:
            return None
        verdicts = [limit.met(self.ours, self.peers) for limit in self.row.limits]
        if False in verdicts:
            return False
        return None if None in verdicts else True

    @property
    def target(self) -> str | None:
        """The limits in words."""
        return " and ".join(str(limit) for limit in self.row.limits) or None
