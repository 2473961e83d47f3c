"""Which member fails after which message: by seed, bounded, the same every time."""

from __future__ import annotations

import threading
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from actors.cli.chaos import FIRST_AMONG, MOST, SECOND_AMONG, Chaos

seeds = st.integers(-(2**70), 2**70)
names = st.text(min_size=1, max_size=20)
LONG = FIRST_AMONG + SECOND_AMONG


def failures(chaos: Chaos, member: str, sends: int) -> list[int]:
    return [count for count in range(1, sends + 1) if chaos(member, count)]


@given(seeds, names)
def test_a_member_that_sends_enough_fails_once_or_twice(seed: int, member: str) -> None:
    found = failures(Chaos(seed), member, LONG)

    assert 1 <= len(found) <= MOST
    assert found[0] <= FIRST_AMONG


@given(seeds, st.lists(st.sampled_from(["a", "b", "c"]), max_size=300))
def test_the_same_seed_and_messages_give_the_same_failures(seed: int, senders: list[str]) -> None:
    first, second = Chaos(seed), Chaos(seed)

    assert [first(name, 1) for name in senders] == [second(name, 1) for name in senders]


@given(seeds)
def test_a_member_fails_the_same_whatever_the_others_send(seed: int) -> None:
    alone, among = Chaos(seed), Chaos(seed)

    found = []
    for count in range(1, LONG + 1):
        among("other", count)
        if among("me", count):
            found.append(count)

    assert found == failures(alone, "me", LONG)


@given(seeds)
def test_a_count_that_begins_anew_after_a_failure_changes_nothing(seed: int) -> None:
    whole, restarted = Chaos(seed), Chaos(seed)
    in_turn = 0
    found = []
    for count in range(1, LONG + 1):
        in_turn += 1
        if restarted("me", in_turn):
            found.append(count)
            in_turn = 0

    assert found == failures(whole, "me", LONG)


@given(seeds)
def test_a_spared_member_never_fails(seed: int) -> None:
    assert failures(Chaos(seed, spared=frozenset({"lead"})), "lead", LONG) == []


def test_seeds_differ() -> None:
    plans = {tuple(sorted(Chaos(seed).plan("risk-1"))) for seed in range(50)}

    assert len(plans) > 20


def test_many_threads_lose_no_message() -> None:
    chaos = Chaos(7)
    expected = len(chaos.plan("me"))
    seen: Counter[bool] = Counter()
    lock = threading.Lock()

    def send() -> None:
        mine = Counter(chaos("me", 1) for _ in range(200))
        with lock:
            seen.update(mine)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen[True] == expected
    assert seen.total() == 1600
