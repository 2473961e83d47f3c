"""The limit of failed handshakes: of each address alone, for a while, in bounded memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport.failures import ADDRESSES, FAILURES, SHUT_S, WINDOW_S, Failures, household

THIEF, OTHER = "192.0.2.1", "192.0.2.2"


def shut(failures: Failures, address: str, now: float) -> None:
    """Fail often enough to be shut out."""
    for _ in range(FAILURES):
        assert not failures.failed(address, now)


def test_twenty_failures_within_a_second_shut_an_address_out_for_five() -> None:
    failures = Failures()
    shut(failures, THIEF, 10.0)

    assert failures.failed(THIEF, 10.0)
    assert failures.failed(THIEF, 10.0 + SHUT_S - 0.001)
    assert not failures.failed(THIEF, 10.0 + SHUT_S)


def test_an_address_begins_anew_when_its_time_is_over() -> None:
    failures = Failures()
    shut(failures, THIEF, 10.0)

    shut(failures, THIEF, 10.0 + SHUT_S)

    assert failures.failed(THIEF, 10.0 + SHUT_S)


def test_failures_that_are_put_off_make_it_no_longer() -> None:
    failures = Failures()
    shut(failures, THIEF, 10.0)
    for _ in range(10 * FAILURES):
        assert failures.failed(THIEF, 14.0)

    assert not failures.failed(THIEF, 10.0 + SHUT_S)


def test_twenty_failures_over_a_second_shut_nobody_out() -> None:
    failures = Failures()

    assert not any(failures.failed(THIEF, n * WINDOW_S / 16) for n in range(200))


def test_other_addresses_are_not_shut_out() -> None:
    failures = Failures()
    shut(failures, THIEF, 10.0)

    assert not failures.failed(OTHER, 10.0)


def test_those_that_failed_last_are_remembered() -> None:
    failures = Failures()
    shut(failures, "first", 10.0)
    for number in range(ADDRESSES - 1):
        failures.failed(str(number), 10.0)
    assert failures.failed("first", 10.0)

    for number in range(ADDRESSES):
        failures.failed(str(number), 10.0)

    assert len(failures) == ADDRESSES
    assert not failures.failed("first", 10.0)


@pytest.mark.parametrize(
    ("one", "another", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("-", "no address", False),
    ],
)
def test_a_network_of_ipv6_counts_as_one_address(one: str, another: str, same: bool) -> None:
    assert (household(one) == household(another)) is same


@given(
    st.lists(
        st.tuples(st.sampled_from([THIEF, OTHER]), st.sampled_from([0.0, 0.01, 0.2, 1.0, 6.0])),
        max_size=200,
    )
)
def test_it_is_the_rule_of_the_last_second_for_each_address(
    tries: list[tuple[str, float]],
) -> None:
    failures, now = Failures(), 0.0
    heard: dict[str, list[float]] = {THIEF: [], OTHER: []}  # since the last time out
    until = {THIEF: 0.0, OTHER: 0.0}
    for address, later in tries:
        now += later
        put_off = now < until[address]
        assert failures.failed(address, now) is put_off
        if not put_off:
            heard[address].append(now)
            if sum(now - each < WINDOW_S for each in heard[address]) == FAILURES:
                heard[address].clear()
                until[address] = now + SHUT_S


@given(st.lists(st.text(max_size=50), max_size=50))
def test_whatever_an_address_says_memory_is_bounded(addresses: list[str]) -> None:
    failures = Failures()

    for address in addresses:
        failures.failed(address, 1.0)

    assert len(failures) <= len(set(addresses))
