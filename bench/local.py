"""The rows of `scripts/bench local`: one process, beside Pykka.

Targets are those of design §8 that concern one process. Where design §8 names a peer that this
bench does not install yet (xoscar), the bound is written down and stays unjudged.
"""

from __future__ import annotations

from bench.rows import Limit, Row, Side


def _ours(measure: str, count: int, quick: int) -> Side:
    return Side("ours", measure, count, quick)


def _pykka(measure: str, count: int, quick: int) -> Side:
    return Side("pykka_peer", measure, count, quick)


_REUSED = (Limit("at_least", 4, "pykka"), Limit("at_least", 1_000_000))
_FRESH = (Limit("at_least", 2, "pykka"),)
_ASK = (Limit("at_most", 1, "xoscar"),)

ROWS: tuple[Row, ...] = (
    Row(
        "tell from a thread, message reused",
        "1/s",
        _ours("tell_thread_reused", 500_000, 50_000),
        "pykka",
        _pykka("tell_thread_reused", 200_000, 20_000),
        _REUSED,
    ),
    Row(
        "tell from a thread, new message each",
        "1/s",
        _ours("tell_thread_fresh", 300_000, 30_000),
        "pykka",
        _pykka("tell_thread_fresh", 150_000, 15_000),
        _FRESH,
    ),
    Row(
        "tell between actors, message reused",
        "1/s",
        _ours("tell_actor_reused", 500_000, 50_000),
        "pykka",
        _pykka("tell_actor_reused", 200_000, 20_000),
        _REUSED,
    ),
    Row(
        "tell between actors, new message each",
        "1/s",
        _ours("tell_actor_fresh", 300_000, 30_000),
        "pykka",
        _pykka("tell_actor_fresh", 150_000, 15_000),
        _FRESH,
    ),
    Row(
        "ask between actors, async asks, def answers",
        "us",
        _ours("ask_actor_task", 50_000, 5_000),
        "pykka",
        _pykka("ask_actor", 10_000, 1_000),
        _ASK,
    ),
    Row(
        "ask between actors, stepped asks, def answers",
        "us",
        _ours("ask_actor_def", 100_000, 10_000),
        "pykka",
        _pykka("ask_actor", 10_000, 1_000),
        _ASK,
    ),
    Row(
        "ask between actors, stepped both",
        "us",
        _ours("ask_actor_stepped", 100_000, 10_000),
        "pykka",
        _pykka("ask_actor", 10_000, 1_000),
        _ASK,
    ),
    Row(
        "ask from a thread",
        "us",
        _ours("ask_thread", 20_000, 2_000),
        "pykka",
        _pykka("ask_thread", 10_000, 1_000),
        (Limit("at_most", 1.2, "pykka"),),
    ),
    Row(
        "spawn",
        "1/s",
        _ours("spawn", 50_000, 5_000),
        "pykka",
        _pykka("spawn", 2_000, 500),
        (Limit("at_least", 10, "pykka"),),
    ),
    Row(
        "idle actor",
        "B",
        _ours("idle_actor", 100_000, 20_000),
        "pykka",
        _pykka("idle_actor", 2_000, 500),
        (Limit("at_most", 3_000),),
    ),
    Row(
        "ledger appends, SQLite, full, batches of 256",
        "1/s",
        _ours("ledger_full", 51_200, 10_240),
        limits=(Limit("at_least", 50_000),),
    ),
    Row(
        "ledger appends, SQLite, normal, batches of 256",
        "1/s",
        _ours("ledger_normal", 102_400, 10_240),
    ),
    Row(
        "import actors",
        "ms",
        Side("startup", "import_actors", 5, 3),
        "pykka",
        Side("startup", "import_pykka", 5, 3),
        (Limit("at_most", 150),),
    ),
    Row(
        "mob --help",
        "ms",
        Side("startup", "mob_help", 5, 3),
        limits=(Limit("at_most", 250),),
    ),
)
