"""How much may be on its way to an actor, to a node, and back; beyond that the sender is told."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors import Actor, ActorSystem, Message, Request, handles
from actors.kernel.errors import KernelError, MessageTooBig, WouldBlock
from actors.post import line as line_module
from actors.post.line import Line
from actors.post.parking import PARKED_BYTES
from tests.post.hand_peer import hand_peer, mail
from tests.post.nodes import (
    PATIENCE_S,
    Add,
    Doorman,
    Hold,
    Note,
    Peek,
    Total,
    Worker,
    nodes,
    told_until,
)
from transport.codec import decode_reply
from transport.envelope import Kind

MEBIBYTE = 1024 * 1024
BLOB = 200_000
MAILBOX = 1_024  # messages, as a window
SHORT_S = 0.3  # for room that does not come


class Blob(Message, tag="test.windows.blob"):
    number: int
    data: bytes


class Numbers(Request[tuple[int, ...]], tag="test.windows.numbers"):
    pass


class Long(Request[bytes], tag="test.windows.long"):
    size: int


class Store(Doorman):
    """Is held as the doorman is, and keeps the numbers of blobs."""

    def __init__(self, entered: threading.Event, opened: threading.Event) -> None:
        super().__init__(entered, opened)
        self.numbers: list[int] = []

    @handles
    def blob(self, message: Blob) -> None:
        self.numbers.append(message.number)

    @handles
    def read_numbers(self, message: Numbers) -> tuple[int, ...]:
        return tuple(self.numbers)


class Talker(Actor):
    """Gives long answers."""

    @handles
    def long(self, message: Long) -> bytes:
        return bytes(message.size)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.CRITICAL):
        yield


@contextmanager
def busy(kind: str = "ipc") -> Iterator[tuple[ActorSystem, ActorSystem, threading.Event]]:
    """Two nodes; the server's actor "store" does nothing until the event is set."""
    entered, opened = threading.Event(), threading.Event()
    with nodes(kind) as (server, client):
        store = server.start(Store, entered, opened, name="store")
        server.start(Worker, name="worker", wait=True)
        held = store.ask(Hold(), block=False)
        assert entered.wait(PATIENCE_S)
        try:
            yield server, client, opened
        finally:
            opened.set()
            held.get(timeout=PATIENCE_S)


def fill(ref: Any, size: int = BLOB) -> int:
    """Tell blobs until there is no room; how many."""
    data = bytes(size)
    return told_until(
        WouldBlock, lambda number: ref.tell(Blob(number=number, data=data), timeout=SHORT_S)
    )


def line_of(system: ActorSystem, node: str) -> Line:
    office = system._network.office
    assert office is not None
    return office.data.lines[node]


# -- large messages -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ipc", "tcp://127.0.0.1"])
def test_large_messages_to_a_busy_actor_are_bounded_and_none_is_lost(kind: str) -> None:
    with busy(kind) as (server, client, opened):
        ref: Any = client.ref("mob://server/store")
        told = fill(ref)

        # Its mailbox takes 16 MiB, and as much is on its way.
        assert 16 * MEBIBYTE - BLOB < (told + 1) * BLOB - 16 * MEBIBYTE < 16 * MEBIBYTE + 2 * BLOB
        opened.set()
        ref.tell(Blob(number=told, data=bytes(BLOB)), timeout=PATIENCE_S)

        assert ref.ask(Numbers(), timeout=PATIENCE_S) == tuple(range(told + 1))
        assert line_of(client, "server")._told_bytes == 0
        assert [each.ambiguous for each in client.links()] == [0, 0]
        assert (len(server.dead_letters), len(client.dead_letters)) == (0, 0)
        assert server.audit().balanced


def test_others_are_told_and_asked_while_large_messages_fill_the_link() -> None:
    with busy() as (_, client, _):
        fill(client.ref("mob://server/store"))
        worker: Any = client.ref("mob://server/worker")
        for _ in range(500):
            worker.tell(Add())

        assert worker.ask(Total(), timeout=PATIENCE_S) == 500
        with pytest.raises(WouldBlock):  # a large one would come on top, wherever it goes
            worker.tell(Blob(number=0, data=bytes(BLOB)))


def test_send_waits_for_room_and_goes_on_when_there_is_some() -> None:
    with busy() as (_, client, opened):
        ref: Any = client.ref("mob://server/store")
        told = fill(ref)

        async def send() -> None:
            sending = asyncio.create_task(ref.send(Blob(number=told, data=bytes(BLOB))))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(sending), SHORT_S)
            opened.set()
            await asyncio.wait_for(sending, PATIENCE_S)

        asyncio.run(send())
        assert ref.ask(Numbers(), timeout=PATIENCE_S) == tuple(range(told + 1))


def test_large_messages_give_their_room_back_when_their_node_is_gone() -> None:
    with busy() as (server, client, opened):
        ref: Any = client.ref("mob://server/store")
        fill(ref)
        assert line_of(client, "server")._told_bytes > PARKED_BYTES - 2 * BLOB
        opened.set()
        server.shutdown(0.1)
        with contextlib.suppress(KernelError):  # it waits for the end
            ref.ask(Total(), timeout=PATIENCE_S)

        assert line_of(client, "server")._told_bytes == 0


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.integers(4_097, MEBIBYTE) | st.just(None), max_size=120))
def test_what_is_reserved_is_never_more_than_the_bound_and_comes_back(
    one: Line, steps: list[int | None]
) -> None:
    reserved: list[int] = []
    for size in steps:
        if size is None:
            if reserved:
                one.release(reserved.pop(0))
        elif sum(reserved) + size <= PARKED_BYTES:
            one.reserve("mob://server/x", size)
            reserved.append(size)
        else:
            with pytest.raises(WouldBlock):
                one.reserve("mob://server/x", size)
        assert one._told_bytes == sum(reserved) <= PARKED_BYTES
    for size in reserved:
        one.unreserve(size)
    assert one._told_bytes == 0


@pytest.fixture
def one() -> Iterator[Line]:
    with nodes("ipc") as (_, client):
        yield line_of(client, "server")


# -- refs that come and go ----------------------------------------------------------------------


def test_a_ref_that_is_looked_up_anew_for_each_message_has_the_same_window() -> None:
    with busy() as (_, client, opened):

        def tell(number: int) -> None:
            ref: Any = client.ref("mob://server/store")
            ref.tell(Note(text=str(number)), timeout=SHORT_S)
            del ref
            if not number % 100:
                gc.collect()

        told = told_until(WouldBlock, tell)
        # Its mailbox, and its window; confirmations come for every 256th.
        assert 2 * MAILBOX - 256 <= told <= 2 * MAILBOX

        opened.set()
        other: Any = client.ref("mob://server/worker")
        other.ask(Total(), timeout=PATIENCE_S)
        assert line_of(client, "server").session.statistics.ambiguous == 0


def test_all_refs_of_an_actor_share_what_is_on_its_way() -> None:
    with busy() as (_, client, _):
        first, second = (client.ref("mob://server/store") for _ in range(2))
        del first
        third = client._network.resolve("mob://server/store")  # as one in a message

        assert second.actor_inbox is third.actor_inbox


# -- sizes --------------------------------------------------------------------------------------


def outcome(ref: Any, message: Message) -> str:
    try:
        ref.tell(message, timeout=PATIENCE_S)
    except MessageTooBig:
        return "too big"
    return "told"


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(1_039_500, 1_045_000), st.booleans())
def test_a_message_is_too_big_for_another_node_when_it_is_too_big_here(
    both: tuple[Any, Any], size: int, text: bool
) -> None:
    here, there = both
    message: Message = Note(text="x" * size) if text else Blob(number=1, data=bytes(size))

    assert outcome(here, message) == outcome(there, message)


@pytest.fixture
def both() -> Iterator[tuple[Any, Any]]:
    """A ref here and a ref there of actors that take blobs."""
    done = threading.Event()
    done.set()
    with nodes("ipc") as (server, client):
        server.start(Store, threading.Event(), done, name="store")
        yield client.start(Store, threading.Event(), done), client.ref("mob://server/store")
        assert (len(server.dead_letters), len(client.dead_letters)) == (0, 0)


def test_a_message_between_the_limits_of_mailbox_and_wire_is_refused_to_its_sender() -> None:
    with nodes("ipc") as (server, client):
        server.start(Worker, name="worker")
        ref: Any = client.ref("mob://server/worker")

        with pytest.raises(MessageTooBig):
            ref.tell(Note(text="x" * 1_042_000))
        assert ref.ask(Total(), timeout=PATIENCE_S) == 0
        assert len(server.dead_letters) == 0


# -- answers that nobody takes ------------------------------------------------------------------


def test_a_peer_that_never_takes_its_answers_is_cut_and_others_are_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line_module, "ANSWER_BYTES", 2 * MEBIBYTE)
    with nodes("ipc") as (server, client):
        server.start(Talker, name="talker")
        ref: Any = client.ref("mob://server/talker")
        office = server._network.office
        assert office is not None
        with hand_peer(str(office.endpoint)) as peer:
            for number in range(1, 100):  # its window takes 4 MiB, 2 MiB wait
                peer.send(mail(Kind.ASK, number, "talker", Long(size=BLOB)))
                assert len(ref.ask(Long(size=10), timeout=PATIENCE_S)) == 10
                if office.data.lines["peer"].state == "gone":
                    break
            peer.take(1_000, acknowledge=False)

            assert peer.goodbye is not None
            assert peer.goodbye.text == "it asks, and does not take its answers"
            assert office.data.lines["peer"]._answer_bytes == 0
        assert len(ref.ask(Long(size=BLOB), timeout=PATIENCE_S)) == BLOB
        assert [each.state for each in client.links()] == ["ready", "ready"]


def test_a_peer_that_takes_its_answers_may_ask_for_more_than_may_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line_module, "ANSWER_BYTES", 2 * MEBIBYTE)
    with ActorSystem("server") as server, hand_peer(server.listen("ipc")) as peer:
        server.start(Talker, name="talker", wait=True)
        for number in range(1, 60):
            peer.send(mail(Kind.ASK, number, "talker", Long(size=BLOB)))
            (answer,) = peer.take(1)
            assert len(decode_reply(Long, answer.payload)) == BLOB

        assert peer.goodbye is None


def test_an_ask_is_answered_while_another_peer_asks_too_much() -> None:
    with ActorSystem("server") as server, hand_peer(server.listen("ipc")) as peer:
        server.start(Worker, name="worker", wait=True)
        peer.send(*(mail(Kind.ASK, number, "worker", Peek()) for number in range(1, 1_025)))

        assert {each.id for each in peer.take(1_024)} == set(range(1, 1_025))
