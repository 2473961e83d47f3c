"""A TCP relay that can be told to cut, to stall and to delay what goes through it."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine, Iterable
from typing import Any, Self, TypeVar

R = TypeVar("R")
PIECE = 16_384  # bytes
RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: closing sends RST


HOST = "127.0.0.2"


class Relay:
    """Has the ports of a node on another host, and passes everything on, in a thread of its own.

    The host is another one because a node says the port of its data channel, and who dials it takes
    the host that it dialled before.

    Args:
        targets: Addresses of a node: `tcp://127.0.0.1:PORT`.

    Attributes:
        delay_s: How long each piece waits, both ways.
        passed: Connections that were made.
    """

    def __init__(self, targets: Iterable[str]) -> None:
        self.delay_s = 0.0
        self.passed = 0
        self._open: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._flowing = {"there": asyncio.Event(), "back": asyncio.Event()}
        self.stall()
        self._servers = [self._do(self._listen(target)) for target in targets]

    def _do(self, work: Coroutine[Any, Any, R]) -> R:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    @staticmethod
    def address(target: str) -> str:
        """Where the relay is, for an address of the node."""
        return f"tcp://{HOST}:{target.rpartition(':')[2]}"

    async def _listen(self, target: str) -> asyncio.Server:
        host, _, port = target.removeprefix("tcp://").rpartition(":")

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(reader, writer, host, int(port))

        return await asyncio.start_server(serve, HOST, int(port))

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int
    ) -> None:
        try:
            to, out = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        self.passed += 1
        pair = (writer, out)
        self._open.add(pair)
        ways = [
            asyncio.create_task(self._pump(reader, out, "there")),
            asyncio.create_task(self._pump(to, writer, "back")),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        self._open.discard(pair)
        for each in pair:
            each.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str
    ) -> None:
        while piece := await reader.read(PIECE):
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            await self._flowing[way].wait()
            writer.write(piece)
            await writer.drain()

    def stall(self, *ways: str) -> None:
        """Hold what goes these ways (`there`, `back`); the others flow."""

        async def change() -> None:
            for way, flowing in self._flowing.items():
                if way in ways:
                    flowing.clear()
                else:
                    flowing.set()

        self._do(change())

    def cut(self, *, reset: bool) -> int:
        """End all connections, by RST or by FIN; returns how many there were."""

        async def change() -> int:
            found = tuple(self._open)
            for writer in (each for pair in found for each in pair):
                if reset:
                    raw: socket.socket = writer.get_extra_info("socket")
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    writer.transport.abort()
                else:
                    writer.close()
            return len(found)

        return self._do(change())

    def close(self) -> None:
        """End everything."""
        self.cut(reset=True)

        async def end() -> None:
            for server in self._servers:
                server.close()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._do(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
