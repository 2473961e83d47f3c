"""What is wrong with one envelope ends that message or answer; the rest of its batch is handled."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors import Actor, ActorSystem, Message, Request, handles
from actors.kernel.errors import KernelError
from actors.post import faults
from tests.post.hand_peer import HandPeer, hand_peer, mail
from tests.post.nodes import PATIENCE_S, Add, Boom, Note, Notes, Peek, Total, Watcher, Worker, nodes
from tests.post.nodes import Ask as AskOn
from transport.codec import encode_message, encode_reply, pack_envelope
from transport.envelope import Envelope, Kind
from transport.errors import InvalidMessage, Undecodable

TABLE = {"a": 1}
GOOD = 60  # messages or questions on either side of the bad one


class Price(Message, tag="test.batches.price"):
    symbol: str


class Odd(Request[int], tag="test.batches.odd"):
    pass


class TellAll(Request[int], tag="test.batches.tell_all"):
    pass


class Go(Request[int], tag="test.batches.go"):
    pass


class NeedsTwo(Exception):
    """An error that cannot be made of its text."""

    def __new__(cls, first: int, second: int) -> Self:
        return super().__new__(cls, first, second)

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first}-{second}")


class Board(Actor):
    """Has a key that raises for all symbols but one, and an error of a hard kind."""

    @handles(coalesce=lambda message: TABLE[message.symbol])
    def price(self, message: Price) -> None:
        pass

    @handles(raises=(NeedsTwo,))
    def odd(self, message: Odd) -> int:
        raise NeedsTwo(1, 2)


class Teller(Actor):
    """Tells and asks a lot in one turn, so that it leaves in one batch."""

    def __init__(self, system: ActorSystem, errors: list[BaseException]) -> None:
        super().__init__()
        self.worker: Any = system.ref("mob://server/worker")
        self.board: Any = system.ref("mob://server/board")
        self.errors = errors

    @handles
    def tell_all(self, message: TellAll) -> int:
        for number in range(2 * GOOD):
            if number == GOOD:
                self.board.tell(Price(symbol="zz"))
            self.worker.tell(Note(text=str(number)))
        return 2 * GOOD

    @handles
    async def ask_all(self, message: Go) -> int:
        asks = [self.worker.request(Total()) for _ in range(GOOD)]
        asks.append(self.board.request(Odd()))
        asks += [self.worker.request(Total()) for _ in range(GOOD)]
        found = await asyncio.gather(*asks, return_exceptions=True)
        self.errors += [each for each in found if isinstance(each, BaseException)]
        return sum(isinstance(each, int) for each in found)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.CRITICAL):
        yield


def check_sums(*systems: ActorSystem) -> None:
    """See that every envelope and every message has one end."""
    for system in systems:
        assert system.audit().balanced, system.audit()
        for link in system.links():
            assert link.sent == link.acknowledged + link.ambiguous + link.in_flight
            assert (link.ambiguous, link.asked) == (0, 0)


def test_a_coalescing_key_that_raises_ends_its_message_only() -> None:
    with nodes("ipc") as (server, client):
        server.start(Board, name="board")
        server.start(Worker, name="worker")
        teller = client.start(Teller, client, [])
        ref: Any = client.ref("mob://server/worker")
        for _ in range(2):  # the second time in the fast way
            teller.ask(TellAll(), timeout=PATIENCE_S)
        expected = tuple(map(str, range(2 * GOOD)))

        assert ref.ask(Notes(), timeout=PATIENCE_S) == 2 * expected
        letters = [(each.address, each.reason) for each in server.dead_letters]
        assert letters == 2 * [("mob://server/board", "poison")]
        check_sums(server, client)


@pytest.mark.parametrize("kind", ["ipc", "tcp://127.0.0.1"])
def test_an_error_that_cannot_be_made_here_is_one_askers_error_only(kind: str) -> None:
    errors: list[BaseException] = []
    with nodes(kind) as (server, client):
        server.start(Board, name="board")
        server.start(Worker, name="worker")
        teller = client.start(Teller, client, errors)

        assert teller.ask(Go(), timeout=PATIENCE_S) == 2 * GOOD
        assert [type(error) for error in errors] == [NeedsTwo]
        check_sums(server, client)


def test_whatever_goes_wrong_with_an_answer_is_told_to_its_asker_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object) -> BaseException:
        raise ZeroDivisionError("no error of this")

    monkeypatch.setattr("actors.post.inward.error_of", fails)
    assert faults.error_of is not fails
    errors: list[BaseException] = []
    with nodes("ipc") as (server, client):
        server.start(Board, name="board")
        server.start(Worker, name="worker")
        teller = client.start(Teller, client, errors)

        assert teller.ask(Go(), timeout=PATIENCE_S) == 2 * GOOD
        assert [type(error) for error in errors] == [ZeroDivisionError]
        check_sums(server, client)


# -- a batch of anything ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ActorSystem, HandPeer]]:
    """A node with a worker and a board, and a peer that is written by hand."""
    with pytest.MonkeyPatch.context() as patched:
        run = tmp_path_factory.mktemp("run")
        run.chmod(0o700)
        patched.setenv("XDG_RUNTIME_DIR", str(run))
        with ActorSystem("server") as server:
            server.start(Worker, name="worker", wait=True)
            server.start(Board, name="board", wait=True)
            with hand_peer(server.listen("ipc")) as peer:
                yield server, peer


def undecodable(kind: Kind, number: int) -> bytes:
    return pack_envelope(
        Envelope(kind, number, "worker", tag="test.post.note", version=1, payload=b"\xdd\xff")
    )


def unknown(kind: Kind, number: int) -> bytes:
    return pack_envelope(
        Envelope(kind, number, "worker", tag="no.such", version=1, payload=b"\x90")
    )


TELLS: dict[str, Callable[[], bytes]] = {
    "good": lambda: mail(Kind.TELL, 0, "worker", Add()),
    "bad key": lambda: mail(Kind.TELL, 0, "board", Price(symbol="zz")),
    "no handler": lambda: mail(Kind.TELL, 0, "board", Add()),
    "nobody": lambda: mail(Kind.TELL, 0, "nobody", Add()),
    "undecodable": lambda: undecodable(Kind.TELL, 0),
    "unknown": lambda: unknown(Kind.TELL, 0),
    "nobody's answer": lambda: pack_envelope(Envelope(Kind.REPLY, 7, "", payload=b"\xa1a")),
    "nobody's error": lambda: pack_envelope(Envelope(Kind.ERROR, 8, "", payload=b"\x01")),
}
ASKS: dict[str, tuple[Kind, Callable[[int], bytes]]] = {
    "good": (Kind.REPLY, lambda number: mail(Kind.ASK, number, "worker", Peek())),
    "declared": (Kind.ERROR, lambda number: mail(Kind.ASK, number, "board", Odd())),
    "no handler": (Kind.ERROR, lambda number: mail(Kind.ASK, number, "board", Boom())),
    "nobody": (Kind.ERROR, lambda number: mail(Kind.ASK, number, "nobody", Peek())),
    "undecodable": (Kind.ERROR, lambda number: undecodable(Kind.ASK, number)),
    "unknown": (Kind.ERROR, lambda number: unknown(Kind.ASK, number)),
    "told for sure": (Kind.REPLY, lambda number: mail(Kind.SEND, number, "worker", Add())),
    "bad key for sure": (
        Kind.REPLY,
        lambda number: mail(Kind.SEND, number, "board", Price(symbol="zz")),
    ),
    "a stop of nobody": (
        Kind.REPLY,
        lambda number: pack_envelope(Envelope(Kind.STOP, number, "nobody")),
    ),
    "a watch of nobody": (
        Kind.DOWN,
        lambda number: pack_envelope(Envelope(Kind.WATCH, number, "nobody")),
    ),
}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from([*TELLS]) | st.sampled_from(["? " + ask for ask in ASKS])))
def test_every_question_of_a_batch_is_answered_once_whatever_else_is_in_it(
    met: tuple[ActorSystem, HandPeer], words: list[str]
) -> None:
    server, peer = met
    base = (server.links()[0].received + 1) * 100
    rows, expected = [], {}
    for number, word in enumerate([*words, "? good"], base):
        if word.startswith("? "):
            expected[number], row = ASKS[word[2:]][0], ASKS[word[2:]][1](number)
            rows.append(row)
        else:
            rows.append(TELLS[word]())

    peer.send(*rows)

    answers = peer.take(len(expected))
    assert {each.id: each.kind for each in answers} == expected
    assert len(answers) == len(expected)
    assert server.links()[0].state == "ready"


# -- answers that do not fit their questions ----------------------------------------------------


def asked_by_hand(answer: bytes) -> Any:
    """What `Add`, which is no request, gets when a peer answers it so."""
    with ActorSystem("server") as server, hand_peer(server.listen("ipc")) as peer:
        ref: Any = server.ref("mob://peer/actor")
        found = ref.ask(Add(), block=False)
        (question,) = peer.take(1)
        peer.send(pack_envelope(Envelope(Kind.REPLY, question.id, "", payload=answer)))
        return found.get(timeout=PATIENCE_S)


def test_a_value_for_what_is_no_request_here_is_an_error_of_its_asker() -> None:
    with pytest.raises(Undecodable, match="the class of the question here is no Request"):
        asked_by_hand(encode_reply(Peek, "text"))


def test_no_value_for_what_is_no_request_is_none() -> None:
    assert asked_by_hand(b"") is None


def test_an_answer_of_another_type_is_an_error_of_its_asker_only() -> None:
    with ActorSystem("server") as server, hand_peer(server.listen("ipc")) as peer:
        ref: Any = server.ref("mob://peer/actor")
        wrong, right = ref.ask(Total(), block=False), ref.ask(Total(), block=False)
        first, second = peer.take(2)
        peer.send(
            pack_envelope(Envelope(Kind.REPLY, first.id, "", payload=encode_reply(Peek, "x"))),
            pack_envelope(Envelope(Kind.REPLY, second.id, "", payload=encode_reply(Total, 5))),
        )

        assert right.get(timeout=PATIENCE_S) == 5
        with pytest.raises(InvalidMessage, match=r"the reply to test\.post\.total"):
            wrong.get(timeout=PATIENCE_S)


@pytest.mark.parametrize("kind", [Kind.DOWN, Kind.REPLY, Kind.ERROR])
def test_a_watch_that_is_answered_with_something_else_ends_as_unreachable(kind: Kind) -> None:
    news: list[Any] = []
    came = threading.Event()
    with ActorSystem("server") as server, hand_peer(server.listen("ipc")) as peer:
        Watcher.refs = {"it": server.ref("mob://peer/actor")}
        watcher = server.start(Watcher, news, came)
        watcher.ask(AskOn(way=("it",)), timeout=PATIENCE_S)
        (watch,) = peer.take(1)
        end = Envelope(kind, watch.id, "")
        if kind is Kind.DOWN:
            note = Note(text="no news")
            tag, version = note.wire_tag, note.wire_version
            end = end._replace(tag=tag, version=version, payload=encode_message(note))
        peer.send(pack_envelope(end))

        assert came.wait(PATIENCE_S)
        assert [(each.address, each.reason) for each in news] == [
            ("mob://peer/actor", "unreachable")
        ]
        (link,) = [each for each in server.links() if each.channel == "data"]
        assert (link.asked, link.state) == (0, "ready")


def test_a_batch_that_breaks_a_rule_ends_its_link_and_no_other() -> None:
    with nodes("ipc") as (server, client), hand_peer(str(server._network.office.endpoint)) as peer:  # type: ignore[union-attr]
        server.start(Worker, name="worker")
        ref: Any = client.ref("mob://server/worker")
        peer.send(mail(Kind.TELL, 0, "worker", Add()), b"\xc1" * 40)
        peer.take(1)

        assert peer.goodbye is not None
        assert ref.ask(Total(), timeout=PATIENCE_S) == 1  # what came before it was handled
        with pytest.raises(KernelError, match="is gone"):
            server.ref("mob://peer/x").tell(Add())
