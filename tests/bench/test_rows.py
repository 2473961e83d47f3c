"""Limits and results with several peers."""

from __future__ import annotations

import pytest

from bench.rows import Limit, Result, Row, Side

SIDE = Side("ours", "ask_thread", 10, 1)
PEERS = {"pykka": SIDE, "xoscar": SIDE}


def result(ours: float | None, peers: dict[str, float], *limits: Limit, unit: str = "us") -> Result:
    return Result(Row("ask", unit, SIDE, PEERS, limits), ours, peers)


@pytest.mark.parametrize(("ours", "met"), [(2.0, True), (1.9, False)])
def test_a_rate_must_reach_its_bound(ours: float, met: bool) -> None:
    assert Limit("at_least", 2).met(ours, {}) is met


@pytest.mark.parametrize(("ours", "met"), [(2.0, True), (2.1, False)])
def test_a_time_must_not_exceed_its_bound(ours: float, met: bool) -> None:
    assert Limit("at_most", 2).met(ours, {}) is met


def test_a_limit_is_judged_against_the_peer_it_names() -> None:
    limit = Limit("at_most", 1, "xoscar")

    assert limit.met(3.0, {"pykka": 50.0, "xoscar": 3.4}) is True
    assert limit.met(6.0, {"pykka": 50.0, "xoscar": 3.4}) is False


def test_a_limit_whose_peer_has_no_figure_cannot_be_judged() -> None:
    assert Limit("at_most", 1, "xoscar").met(3.0, {"pykka": 50.0}) is None


def test_a_limit_reads_as_people_write_it() -> None:
    assert str(Limit("at_least", 1_000_000)) == ">= 1,000,000"
    assert str(Limit("at_most", 1.2, "pykka")) == "<= 1.2 x pykka"


def test_ratios_are_to_each_peer_with_a_figure() -> None:
    found = result(5.0, {"pykka": 50.0, "xoscar": 2.5})

    assert found.ratios == {"pykka": 0.1, "xoscar": 2.0}


def test_without_our_figure_there_is_no_ratio_and_no_verdict() -> None:
    found = result(None, {"pykka": 50.0}, Limit("at_most", 60))

    assert found.ratios == {}
    assert found.met is None


def test_a_peer_of_zero_has_no_ratio() -> None:
    assert result(5.0, {"pykka": 0.0}).ratios == {}


def test_limits_of_two_peers_must_both_hold() -> None:
    limits = Limit("at_most", 1, "xoscar"), Limit("at_most", 0.5, "pykka")

    assert result(3.0, {"pykka": 50.0, "xoscar": 3.4}, *limits).met is True
    assert result(3.0, {"pykka": 5.0, "xoscar": 3.4}, *limits).met is False


def test_one_limit_missed_is_a_no_even_if_another_cannot_be_judged() -> None:
    limits = Limit("at_most", 1, "xoscar"), Limit("at_most", 2)

    assert result(3.0, {"pykka": 50.0}, *limits).met is False
    assert result(1.0, {"pykka": 50.0}, *limits).met is None


def test_a_row_without_limits_has_no_verdict_and_no_target() -> None:
    found = result(3.0, {"pykka": 50.0})

    assert found.met is None
    assert found.target is None


def test_the_target_names_every_limit() -> None:
    found = result(3.0, {}, Limit("at_least", 4, "pykka"), Limit("at_least", 1_000_000))

    assert found.target == ">= 4 x pykka and >= 1,000,000"
