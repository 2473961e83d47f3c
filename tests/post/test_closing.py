"""What a system that shuts down has said before still leaves."""

from __future__ import annotations

import threading
from typing import Any

from tests.post.nodes import PATIENCE_S, Add, Total, Worker, nodes

TOLD = 100


def test_what_was_told_before_a_shutdown_arrives_although_the_loop_was_busy() -> None:
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        go_on.wait(PATIENCE_S)

    with nodes("ipc") as (server, client):
        worker = server.start(Worker, name="worker", wait=True)
        ref: Any = client.ref("mob://server/worker")
        ref.ask(Total(), timeout=PATIENCE_S)
        dispatcher = client._scheduler.dispatcher("member")
        dispatcher.loop.call_soon_threadsafe(hold)  # so that all comes in one drain
        assert held.wait(PATIENCE_S)
        for _ in range(TOLD):
            ref.tell(Add(n=1))
        closing = threading.Thread(target=client.shutdown)
        closing.start()
        while not dispatcher.calls:  # the goodbye comes before the line is served
            assert closing.is_alive()
        go_on.set()
        closing.join(PATIENCE_S)

        assert worker.ask(Total()) == TOLD
