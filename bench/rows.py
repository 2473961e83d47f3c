"""A row of the bench: what is measured, beside whom, and what it must reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound on our figure: absolute, or times the peer's figure.

    `at_least` for rates, `at_most` for times and sizes. A bound whose `peer` was not measured in
    this run cannot be judged.
    """

    sense: Literal["at_least", "at_most"]
    value: float
    peer: str | None = None

    def __str__(self) -> str:
        sign = ">=" if self.sense == "at_least" else "<="
        return f"{sign} {self.value:,.10g}" + (f" x {self.peer}" if self.peer else "")

    def met(self, ours: float, peers: dict[str, float]) -> bool | None:
        """Say whether `ours` keeps the bound; None when its peer has no figure."""
        bound = self.value
        if self.peer is not None:
            if self.peer not in peers:
                return None
            bound *= peers[self.peer]
        return ours >= bound if self.sense == "at_least" else ours <= bound


@dataclass(frozen=True, slots=True)
class Side:
    """Who is sampled: a module of this package, one of its measures, and how often it repeats."""

    module: str
    measure: str
    count: int
    quick: int


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; `limits` must all hold (design §8)."""

    name: str
    unit: str
    ours: Side
    peer: str | None = None
    theirs: Side | None = None
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """A measured row.

    `ratio` is ours divided by the peer's in the row's own unit: above 1 is better for a rate, below
    1 for a time or a size. A side that could not be measured is None and `problem` says why.
    """

    row: Row
    ours: float | None
    peer_value: float | None
    problem: str | None = None

    @property
    def ratio(self) -> float | None:
        """Ours divided by the peer's; None when either is missing."""
        if self.ours is None or not self.peer_value:
            return None
        return self.ours / self.peer_value

    @property
    def met(self) -> bool | None:
        """Whether every limit holds; None when the row has none or one cannot be judged."""
        if self.ours is None or not self.row.limits:
            return None
        known = {}
        if self.row.peer is not None and self.peer_value is not None:
            known[self.row.peer] = self.peer_value
        verdicts = [limit.met(self.ours, known) for limit in self.row.limits]
        if False in verdicts:
            return False
        return None if None in verdicts else True

    @property
    def target(self) -> str | None:
        """The limits in words."""
        return " and ".join(str(limit) for limit in self.row.limits) or None
