"""The rows of `scripts/bench local`: one process, beside Pykka, xoscar and AutoGen Core.

Targets are those of design §8 that concern one process, and for the latency rows those of §4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench.rows import Growth, Limit, Row, Side

CROWD: Final = 100_000
MEMBERS: Final = 10_000


def _ours(measure: str, count: int, quick: int) -> Side:
    return Side("ours", measure, count, quick)


def _pykka(measure: str, count: int, quick: int) -> dict[str, Side]:
    return {"pykka": Side("pykka_peer", measure, count, quick)}


def _xoscar(measure: str, count: int, quick: int) -> dict[str, Side]:
    return {"xoscar": Side("xoscar_peer", measure, count, quick)}


def _autogen(measure: str, count: int, quick: int) -> dict[str, Side]:
    return {"autogen-core": Side("autogen_peer", measure, count, quick)}


_REUSED = (Limit("at_least", 4, "pykka"), Limit("at_least", 1_000_000))
_FRESH = (Limit("at_least", 2, "pykka"),)
_ASK = (Limit("at_most", 1, "xoscar"),)


def _tell(name: str, measure: str, limits: Sequence[Limit] = ()) -> Row:
    reused = measure.endswith("reused")
    ours = _ours(measure, *((500_000, 50_000) if reused else (300_000, 30_000)))
    peers = _pykka(measure, *((200_000, 20_000) if reused else (150_000, 15_000)))
    if not measure.startswith("tell_threads"):  # the others have no call for threads at all
        peers |= _xoscar(measure, 30_000, 5_000) | _autogen(measure, 5_000, 1_000)
    return Row(name, "1/s", ours, peers, tuple(limits))


def _ask(asker: str, callee: str) -> Row:
    # Neither peer has more than one kind of asker. xoscar's methods are `def` or `async def`, the
    # handlers of AutoGen Core always `async def`, those of Pykka never.
    xoscar = "ask_def" if callee == "def" else "ask_async"
    return Row(
        f"ask between actors, {asker} asks, {callee} answers",
        "us",
        _ours(f"ask_{asker}_{callee}", 100_000, 10_000),
        _pykka("ask_actor", 10_000, 1_000)
        | _xoscar(xoscar, 100_000, 10_000)
        | _autogen("ask", 5_000, 1_000),
        _ASK,
    )


def _crowd(name: str, unit: str, part: str, limits: Sequence[Limit] = ()) -> Row:
    def side(module: str, rounds: int) -> Side:
        # Always so many, also in the short form: the figures are totals, and named so.
        return Side(module, "crowd", CROWD, CROWD, part, rounds=rounds)

    # The peers need 15 seconds each: once is enough.
    peers = {"xoscar": side("xoscar_peer", 1), "autogen-core": side("autogen_peer", 1)}
    return Row(f"100,000 actors: {name}", unit, side("crowd", 3), peers, tuple(limits))


def _stop_of(count: int) -> Side:
    return Side("crowd", "crowd", count, count, "stop", rounds=3)


def _plan(measure: str, members: int) -> Side:
    return Side("planning", measure, members, members, rounds=3)


def _reaction(name: str, measure: str, limits: Sequence[Limit] = ()) -> Row:
    return Row(
        f"system loop, p99 while a member {name}",
        "ms",
        Side("latency", measure, 3_000, 1_000, rounds=3),
        {"pykka": Side("pykka_peer", measure, 3_000, 1_000, rounds=3)},
        tuple(limits),
    )


_PROMPT = (Limit("at_most", 5),)

ROWS: tuple[Row, ...] = (
    _tell("tell from 1 thread, message reused", "tell_thread_reused", _REUSED),
    _tell("tell from 1 thread, new message each", "tell_thread_fresh", _FRESH),
    _tell("tell from 4 threads, message reused", "tell_threads_reused"),
    _tell("tell from 4 threads, new message each", "tell_threads_fresh"),
    _tell("tell between actors, message reused", "tell_actor_reused", _REUSED),
    _tell("tell between actors, new message each", "tell_actor_fresh", _FRESH),
    *(
        _ask(asker, callee)
        for asker in ("async", "stepped")
        for callee in ("def", "async", "stepped")
    ),
    Row(
        "ask from a thread",
        "us",
        _ours("ask_thread", 20_000, 2_000),
        _pykka("ask_thread", 10_000, 1_000)
        | _xoscar("ask_thread", 5_000, 1_000)
        | _autogen("ask_thread", 5_000, 1_000),
        (Limit("at_most", 1.2, "pykka"),),
    ),
    Row(
        "spawn",
        "1/s",
        _ours("spawn", 50_000, 5_000),
        _pykka("spawn", 2_000, 500)
        | _xoscar("spawn", 10_000, 2_000)
        | _autogen("spawn", 10_000, 2_000),
        (Limit("at_least", 10, "pykka"),),
    ),
    Row(
        "idle actor",
        "B",
        _ours("idle_actor", 100_000, 20_000),
        _pykka("idle_actor", 2_000, 500)
        | _xoscar("idle_actor", 20_000, 5_000)
        | _autogen("idle_actor", 20_000, 5_000),
        (Limit("at_most", 3_000),),
    ),
    _crowd("start", "s", "start"),
    _crowd("one message each", "s", "tell"),
    _crowd("stop", "s", "stop"),
    _crowd("memory of each", "B", "bytes", (Limit("at_most", 3_000),)),
    Row(
        "stop grows linearly, 25,000 to 100,000 actors",
        "exponent",
        Growth(_stop_of(25_000), _stop_of(CROWD)),
        limits=(Limit("at_most", 1.1),),
    ),
    _reaction("idles", "idle"),
    _reaction("blocks", "block", _PROMPT),
    _reaction("spins in Python", "spin", _PROMPT),
    _reaction("runs ast.parse", "parse"),
    Row(
        "reconcile, nothing to do, 10,000 members",
        "ms",
        _plan("settled", MEMBERS),
        limits=(Limit("at_most", 150),),
    ),
    Row(
        "reconcile grows, 10,000 to 100,000 members",
        "exponent",
        Growth(_plan("settled", MEMBERS), _plan("settled", 10 * MEMBERS)),
        limits=(Limit("at_most", 1.1),),
    ),
    Row(
        "reconcile, 1 member changed of 10,000",
        "ms",
        _plan("one_changed", MEMBERS),
        limits=(Limit("at_most", 10),),
    ),
    Row(
        "ledger appends, SQLite, full, batches of 256",
        "1/s",
        Side("ledger", "full", 51_200, 10_240),
        limits=(Limit("at_least", 50_000),),
    ),
    Row(
        "ledger appends, SQLite, normal, batches of 256",
        "1/s",
        Side("ledger", "normal", 102_400, 10_240),
    ),
    Row(
        "import actors",
        "ms",
        Side("startup", "import_actors", 5, 3),
        {
            "pykka": Side("startup", "import_pykka", 5, 3),
            "xoscar": Side("startup", "import_xoscar", 5, 3),
            "autogen-core": Side("startup", "import_autogen", 5, 3),
        },
        (Limit("at_most", 150),),
    ),
    Row(
        "mob --help",
        "ms",
        Side("startup", "mob_help", 5, 3),
        limits=(Limit("at_most", 250),),
    ),
)
