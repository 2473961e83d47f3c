"""A ref of an actor on another node behaves as a local one (design §5, Remote refs)."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from actors import Actor, ActorSystem, Down, Message, Request, handles
from actors.kernel.errors import (
    ActorDead,
    ActorFailed,
    Ambiguous,
    AskTimeout,
    Expired,
    LocalOnly,
    MessageTooBig,
    Unhandled,
    UnknownAddress,
    WouldBlock,
)
from actors.kernel.ref import ActorRef
from actors.post.faults import RemoteError
from tests.post.nodes import (
    PATIENCE_S,
    Add,
    Ask,
    Boom,
    Declared,
    Doorman,
    Hold,
    Note,
    Notes,
    Open,
    Peek,
    SoldOut,
    Total,
    Watcher,
    Worker,
    made,
    nodes,
    told_until,
)
from transport.security import Authenticator
from transport.self_test import self_test

KINDS = ("ipc", "tcp://127.0.0.1", "tcp://[::1]")


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.CRITICAL):
        yield


@pytest.fixture(params=KINDS[:2])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[ActorSystem, ActorSystem]]:
    with nodes(request.param) as both:
        yield both


@pytest.fixture
def worker(pair: tuple[ActorSystem, ActorSystem]) -> Any:
    server, client = pair
    server.start(Worker, [server], name="worker")
    return client.ref("mob://server/worker")


# -- messages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_told_and_asked_arrives_in_order(kind: str) -> None:
    with nodes(kind) as (server, client):
        server.start(Worker, name="worker")
        ref: Any = client.ref("mob://server/worker")
        for number in range(3_000):
            ref.tell(Note(text=str(number)), timeout=PATIENCE_S)

        assert ref.ask(Notes(), timeout=PATIENCE_S) == tuple(map(str, range(3_000)))
        assert server.audit().balanced


def test_it_can_be_awaited_on_any_loop(worker: Any) -> None:
    async def use() -> int:
        await worker.send(Add(n=2))
        first, second = await asyncio.gather(worker.request(Total()), worker.request(Total()))
        return int(first) + int(second)

    assert asyncio.run(use()) == 4


def test_an_actor_uses_it_as_any_other_ref(pair: tuple[ActorSystem, ActorSystem]) -> None:
    server, client = pair
    server.start(Worker, [server], name="far")
    near = client.start(Worker, [client], name="near")

    assert near.ask(Ask(way=("mob://server/far",)), timeout=PATIENCE_S) == "end"


def test_the_server_reaches_back_over_the_same_connection(
    pair: tuple[ActorSystem, ActorSystem],
) -> None:
    server, client = pair
    client.start(Worker, name="worker")
    back: Any = server.ref("mob://client/worker")
    back.tell(Add(n=5))

    assert back.ask(Total(), timeout=PATIENCE_S) == 5


def test_two_refs_of_one_actor_are_equal(pair: tuple[ActorSystem, ActorSystem]) -> None:
    _, client = pair
    first, second = client.ref("mob://server/a"), client.ref("mob://server/a")

    assert first == second
    assert hash(first) == hash(second)
    assert first != client.ref("mob://server/b")
    assert str(first).endswith("(mob://server/a)")


def test_a_node_that_was_never_connected_is_unknown(
    pair: tuple[ActorSystem, ActorSystem],
) -> None:
    _, client = pair

    with pytest.raises(UnknownAddress, match="node 'nowhere' is not connected"):
        client.ref("mob://nowhere/a")


# -- errors -------------------------------------------------------------------------------------


def test_a_failure_comes_back_with_the_remotes_text(worker: Any) -> None:
    with pytest.raises(ActorFailed, match=r"mob://server/worker failed on Boom: ValueError: boom"):
        worker.ask(Boom(), timeout=PATIENCE_S)


def test_a_declared_error_comes_back_as_itself(worker: Any) -> None:
    with pytest.raises(SoldOut) as caught:
        worker.ask(Declared(known=True), timeout=PATIENCE_S)

    assert (caught.value.what, caught.value.left) == ("tickets", 0)


def test_a_subclass_of_a_declared_error_comes_back_as_that_with_its_text(
    pair: tuple[ActorSystem, ActorSystem],
) -> None:
    server, client = pair
    server.start(Worker, name="careful")
    worker: Any = client.ref("mob://server/careful")
    with pytest.raises(SoldOut, match="no date is left") as caught:
        worker.ask(Declared(known=False), timeout=PATIENCE_S)

    assert type(caught.value) is SoldOut
    assert worker.ask(Total(), timeout=PATIENCE_S) == 0  # it was no failure


def test_an_actor_that_is_not_there_is_named(pair: tuple[ActorSystem, ActorSystem]) -> None:
    server, client = pair
    ref: Any = client.ref("mob://server/nobody")
    ref.tell(Add())

    with pytest.raises(UnknownAddress, match="mob://server/nobody: no such actor"):
        ref.ask(Total(), timeout=PATIENCE_S)
    reasons = [letter.reason for letter in server.dead_letters]
    assert reasons == ["no_such_actor", "no_such_actor"]
    assert server.audit().balanced


def test_a_message_without_a_handler_is_refused(worker: Any) -> None:
    class Odd(Request[int], tag="test.post.odd"):
        pass

    with pytest.raises(Unhandled, match="no handler for"):
        worker.ask(Odd(), timeout=PATIENCE_S)


def test_what_is_no_message_does_not_leave(worker: Any) -> None:
    with pytest.raises(TypeError, match="only a Message leaves its process"):
        worker.tell("text")


def test_a_message_above_the_limit_does_not_leave(worker: Any) -> None:
    with pytest.raises(MessageTooBig):
        worker.tell(Note(text="x" * 1_100_000))
    worker.tell(Note(text="x" * 900_000))
    assert len(worker.ask(Notes(), timeout=PATIENCE_S)[0]) == 900_000


def test_an_answer_that_cannot_leave_says_so(pair: tuple[ActorSystem, ActorSystem]) -> None:
    server, client = pair
    server.start(Worker, name="worker")
    ref: Any = client.ref("mob://server/worker")
    for _ in range(3):
        ref.tell(Note(text="x" * 500_000))

    with pytest.raises(MessageTooBig):
        ref.ask(Notes(), timeout=PATIENCE_S)


def test_a_proxy_is_local(worker: Any) -> None:
    with pytest.raises(LocalOnly):
        worker.proxy()


def test_an_ask_times_out_here(worker: Any) -> None:
    with pytest.raises(AskTimeout):
        worker.ask(Hold(), timeout=0.05)
    worker.tell(Open())


def test_a_deadline_travels_as_time_left(worker: Any) -> None:
    held = worker.ask(Hold(), block=False)
    late = worker.ask(Total(), block=False, expires=0.0)
    worker.tell(Open())

    assert held.get(timeout=PATIENCE_S) == "opened"
    with pytest.raises(Expired):
        late.get(timeout=PATIENCE_S)


# -- circles ------------------------------------------------------------------------------------


def test_a_chain_over_two_nodes_that_comes_back_fails_with_its_path(
    pair: tuple[ActorSystem, ActorSystem],
) -> None:
    server, client = pair
    server.start(Worker, [server], name="b")
    near = client.start(Worker, [client], name="a")

    with pytest.raises(ActorFailed) as caught:
        near.ask(Ask(way=("mob://server/b", "mob://client/a")), timeout=PATIENCE_S)

    assert "mob://client/a -> mob://server/b -> mob://client/a" in str(caught.value)


def test_a_chain_that_goes_on_locally_is_seen_when_it_comes_back(
    pair: tuple[ActorSystem, ActorSystem],
) -> None:
    server, client = pair
    for name in ("b", "c"):
        server.start(Worker, [server], name=name)
    near = client.start(Worker, [client], name="a")
    way = ("mob://server/b", "mob://server/c", "mob://client/a")

    with pytest.raises(ActorFailed, match="AskCycle"):
        near.ask(Ask(way=way), timeout=PATIENCE_S)


def test_two_chains_over_two_nodes_that_meet_are_seen(
    pair: tuple[ActorSystem, ActorSystem],
) -> None:
    server, client = pair
    far = server.start(Worker, [server], name="b")
    near = client.start(Worker, [client], name="a")

    for _ in range(20):
        answers = [
            near.ask(Ask(way=("mob://server/b",)), block=False),
            far.ask(Ask(way=("mob://client/a",)), block=False),
        ]
        for answer in answers:
            try:
                assert answer.get(timeout=PATIENCE_S) == "end"
            except (ActorFailed, ActorDead):
                far = server.start(Worker, [server], name="b") if not far.is_alive() else far
                near = client.start(Worker, [client], name="a") if not near.is_alive() else near


def test_an_interleave_handler_may_be_asked_back_from_another_node(
    pair: tuple[ActorSystem, ActorSystem],
) -> None:
    server, client = pair
    server.start(Worker, [server], name="b")
    near = client.start(Worker, [client], name="a")

    found = near.ask(Ask(way=("mob://server/b", "mob://client/a", "peek")), timeout=PATIENCE_S)

    assert found == "peeked"


# -- watching and stopping ----------------------------------------------------------------------


def watched(client: ActorSystem, ref: Any) -> tuple[list[Down], threading.Event]:
    news: list[Down] = []
    came = threading.Event()
    Watcher.refs = {"it": ref}
    watcher = client.start(Watcher, news, came)
    watcher.ask(Ask(way=("it",)), timeout=PATIENCE_S)
    return news, came


def test_the_end_of_a_remote_actor_is_one_down(pair: tuple[ActorSystem, ActorSystem]) -> None:
    server, client = pair
    local = server.start(Worker, name="worker")
    news, came = watched(client, client.ref("mob://server/worker"))
    ref: Any = client.ref("mob://server/worker")
    ref.ask(Total(), timeout=PATIENCE_S)  # the watch came before it

    local.stop()

    assert came.wait(PATIENCE_S)
    assert [(each.address, each.reason) for each in news] == [("mob://server/worker", "shutdown")]


def test_watching_nobody_is_one_down_at_once(pair: tuple[ActorSystem, ActorSystem]) -> None:
    _, client = pair
    news, came = watched(client, client.ref("mob://server/nobody"))

    assert came.wait(PATIENCE_S)
    assert [each.reason for each in news] == ["no_such_actor"]


def test_a_node_that_goes_is_one_down_that_says_so() -> None:
    with nodes("tcp://127.0.0.1") as (server, client):
        server.start(Worker, name="worker")
        ref: Any = client.ref("mob://server/worker")
        news, came = watched(client, ref)
        ref.ask(Total(), timeout=PATIENCE_S)

        server.shutdown(1.0)

        assert came.wait(PATIENCE_S)
        assert len(news) == 1
        assert news[0].reason in ("shutdown", "unreachable")


@pytest.mark.parametrize("drain", [True, False])
def test_it_can_be_stopped(pair: tuple[ActorSystem, ActorSystem], drain: bool) -> None:
    server, client = pair
    local = server.start(Worker, name="worker")
    ref: Any = client.ref("mob://server/worker")

    assert ref.stop(timeout=PATIENCE_S, drain=drain) is True
    assert not local.is_alive()
    assert ref.stop(timeout=PATIENCE_S) is False


# -- room ---------------------------------------------------------------------------------------


def test_a_slow_actor_ends_in_would_block_and_loses_nothing(
    pair: tuple[ActorSystem, ActorSystem],
) -> None:
    server, client = pair
    entered, opened = threading.Event(), threading.Event()
    server.start(Doorman, entered, opened, name="slow")
    server.start(Worker, name="quick")
    slow: Any = client.ref("mob://server/slow")
    quick: Any = client.ref("mob://server/quick")
    held = slow.ask(Hold(), block=False)
    assert entered.wait(PATIENCE_S)
    told = told_until(WouldBlock, lambda n: slow.tell(Note(text=str(n)), timeout=0.5))

    assert told < 3_000  # its mailbox, and its window
    assert quick.ask(Total(), timeout=PATIENCE_S) == 0  # the others are served meanwhile
    opened.set()
    assert held.get(timeout=PATIENCE_S) == "held"
    slow.tell(Note(text=str(told)), timeout=PATIENCE_S)

    assert slow.ask(Notes(), timeout=PATIENCE_S) == tuple(map(str, range(told + 1)))
    assert server.audit().balanced
    assert server.dead_letters.total == 0


# -- losing the other side ----------------------------------------------------------------------


def test_asks_of_a_node_that_goes_are_ambiguous_at_once() -> None:
    with nodes("tcp://127.0.0.1") as (server, client):
        server.start(Worker, name="worker")
        ref: Any = client.ref("mob://server/worker")
        answer = ref.ask(Hold(), block=False)
        ref.ask(Peek(), timeout=PATIENCE_S)

        server.shutdown(0.1)

        with pytest.raises((Ambiguous, ActorDead)):
            answer.get(timeout=PATIENCE_S)


def test_a_node_that_comes_back_under_its_name_is_another_boot(tmp_path: Any) -> None:
    with made("tcp://127.0.0.1") as (server, client, connect):
        server.start(Worker, name="worker")
        connect()
        ref: Any = client.ref("mob://server/worker")
        ref.tell(Add(n=7))
        assert ref.ask(Total(), timeout=PATIENCE_S) == 7
        network = server._network
        assert network.office is not None
        address, keys, allowed = network.office.endpoint, network._keys, network._allowed
        server.shutdown(1.0)

        with ActorSystem("server", keys=keys, allowed=allowed) as again:
            again.start(Worker, name="worker")
            again.listen(str(address))

            assert _until(lambda: ref.ask(Total(), timeout=PATIENCE_S)) == 0


def test_who_is_greeted_while_a_node_opens_its_doors_is_told_of_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A node that starts again is dialled at once; the self-test of its doors takes a while."""
    with made("tcp://127.0.0.1") as (server, client, _), closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        free.close()
        found: list[str] = []

        def greeted(authenticator: Authenticator, bound: str, key: str) -> None:
            if not found:  # at the first of the two
                found.append(client.connect(address, key=key, timeout=PATIENCE_S))
            self_test(authenticator, bound, key)

        monkeypatch.setattr("actors.post.office.self_test", greeted)
        server.listen(address)

    assert found == ["server"]


def _until(work: Any) -> Any:
    """Try until the connection is there; each try waits for something real."""
    for _ in range(50):
        try:
            return work()
        except (Ambiguous, AskTimeout, UnknownAddress):
            continue
    raise AssertionError("it never came back")


def test_every_envelope_has_a_fate(pair: tuple[ActorSystem, ActorSystem]) -> None:
    server, client = pair
    server.start(Worker, name="worker")
    ref: Any = client.ref("mob://server/worker")
    for _ in range(500):
        ref.tell(Add(), timeout=PATIENCE_S)
    ref.ask(Total(), timeout=PATIENCE_S)

    for link in client.links():
        assert link.sent == link.acknowledged + link.ambiguous + link.in_flight
    (data,) = [link for link in client.links() if link.channel == "data"]
    assert data.sent == 501 + 0
    assert data.state == "ready"


class Secret(Message, tag="test.post.secret"):
    word: str


def test_unknown_declared_errors_keep_their_text(worker: Any) -> None:
    error = RemoteError("mob://a/b", "declared", "no tickets", "shop:SoldOut")

    assert str(error) == "no tickets"
    assert (error.address, error.code, error.type) == ("mob://a/b", "declared", "shop:SoldOut")


# -- refs in messages ---------------------------------------------------------------------------


class Introduce(Request[str], tag="test.post.introduce"):
    to: ActorRef[Any]


class GetRef(Request[ActorRef[Any]], tag="test.post.get_ref"):
    pass


class Guest(Actor):
    @handles
    async def meet(self, message: Introduce) -> str:
        return f"{message.to.address} has {await message.to.request(Total())}"

    @handles
    def who(self, message: GetRef) -> ActorRef[Any]:
        return self.actor_ref


def test_a_ref_in_a_message_reaches_the_same_actor_from_the_other_side(
    pair: tuple[ActorSystem, ActorSystem],
) -> None:
    server, client = pair
    server.start(Guest, name="guest")
    mine = client.start(Worker, name="mine")
    mine.tell(Add(n=3))
    guest: Any = client.ref("mob://server/guest")

    assert guest.ask(Introduce(to=mine), timeout=PATIENCE_S) == "mob://client/mine has 3"


def test_a_ref_that_comes_home_is_the_local_one(pair: tuple[ActorSystem, ActorSystem]) -> None:
    server, client = pair
    local = server.start(Guest, name="guest")
    guest: Any = client.ref("mob://server/guest")

    assert guest.ask(GetRef(), timeout=PATIENCE_S) == guest
    assert local.ask(GetRef()) == local


def test_a_ref_of_an_actor_that_has_ended_says_so(pair: tuple[ActorSystem, ActorSystem]) -> None:
    server, client = pair
    server.start(Guest, name="guest")
    gone = server.start(Worker, name="gone")
    gone.stop()
    guest: Any = client.ref("mob://server/guest")

    with pytest.raises(ActorFailed, match="mob://server/gone has stopped"):
        guest.ask(Introduce(to=gone), timeout=PATIENCE_S)


def test_an_actor_that_has_stopped_is_unknown_from_afar_and_dead_to_who_has_its_ref(
    pair: tuple[ActorSystem, ActorSystem],
) -> None:
    server, client = pair
    local: Any = server.start(Worker, name="short")
    remote: Any = client.ref("mob://server/short")
    local.stop()

    with pytest.raises(ActorDead):
        local.ask(Total(), timeout=PATIENCE_S)
    with pytest.raises(UnknownAddress, match=r"mob://server/short: no such actor"):
        remote.ask(Total(), timeout=PATIENCE_S)
