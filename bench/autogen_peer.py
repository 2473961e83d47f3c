"""AutoGen Core's side: the same work with its single-threaded runtime.

Runs in `.venv-bench/autogen-core` and imports nothing of this project. An ask is `send_message`; a
tell is `publish_message` to a topic with one subscriber, which is the one-way message of its
documentation. Agents are named by type and key and made when first needed; `runtime.get(...,
lazy=False)` makes one at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from autogen_core import (
    AgentId,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    TopicId,
    message_handler,
    type_subscription,
)
from pydantic import BaseModel, ConfigDict

from bench import loops, stopwatch

TOPIC = "numbers"
COUNTER = AgentId("counter", "default")
DRIVER = AgentId("driver", "default")


class Add(BaseModel):
    """The message of the measures: strict and frozen, as ours are."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    n: int


class Total(BaseModel):
    """The question of the measures."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Flood(BaseModel):
    """Asks a `Driver` to publish `count` messages, the same one or new ones."""

    count: int
    fresh: bool


class Interview(BaseModel):
    """Asks a `Driver` to ask the `Counter` `count` times."""

    count: int


@type_subscription(topic_type=TOPIC)
class Counter(RoutedAgent):
    """Adds what it is told; answers its total."""

    handled = 0
    """Messages of all counters."""

    def __init__(self) -> None:
        super().__init__("adds numbers")
        self.total = 0

    @message_handler
    async def add(self, message: Add, ctx: MessageContext) -> None:
        """Add a number."""
        self.total += message.n
        Counter.handled += 1

    @message_handler
    async def read(self, message: Total, ctx: MessageContext) -> int:
        """Answer the total."""
        return self.total


class Driver(RoutedAgent):
    """Drives a `Counter` from inside an agent; answers the seconds it took."""

    def __init__(self) -> None:
        super().__init__("drives a counter")

    @message_handler
    async def flood(self, message: Flood, ctx: MessageContext) -> float:
        """Publish `count` messages and wait until all are handled."""
        topic, due = TopicId(TOPIC, "default"), Counter.handled + message.count
        with stopwatch.timing() as taken:
            if message.fresh:
                for n in range(message.count):
                    await self.publish_message(Add(n=n), topic)
            else:
                add = Add(n=1)
                for _ in range(message.count):
                    await self.publish_message(add, topic)
            await handled(due)
        return taken.seconds

    @message_handler
    async def interview(self, message: Interview, ctx: MessageContext) -> float:
        """Ask `count` times, each after the answer to the one before."""
        question = Total()
        with stopwatch.timing() as taken:
            for _ in range(message.count):
                await self.send_message(question, COUNTER)
        return taken.seconds


async def handled(due: int) -> None:
    """Wait until the counters have handled `due` messages."""
    while Counter.handled < due:  # noqa: ASYNC110 - an Event would cost each message a look
        await asyncio.sleep(0)


async def start_runtime() -> SingleThreadedAgentRuntime:
    """Return a running runtime that knows both agents."""
    runtime = SingleThreadedAgentRuntime()
    await Counter.register(runtime, COUNTER.type, Counter)
    await Driver.register(runtime, DRIVER.type, Driver)
    runtime.start()
    return runtime


async def drive(kind: Callable[[int], Flood | Interview], count: int) -> float:
    """Return the seconds a `Driver` needed for `count` of what `kind` asks for."""
    runtime = await start_runtime()
    await runtime.send_message(kind(stopwatch.warm_up(count)), DRIVER)
    took = float(await runtime.send_message(kind(count), DRIVER))
    await runtime.stop_when_idle()
    return took


def tell_from_thread(count: int, *, fresh: bool) -> float:
    """Return messages per second, told by a thread outside the loop and handled.

    The runtime is for one thread: asyncio's own way takes the coroutine to the loop.
    """
    topic = TopicId(TOPIC, "default")
    with loops.LoopThread() as loop:
        runtime = loop.call(start_runtime)
        message = Add(n=1)

        def work(total: int) -> None:
            due = Counter.handled + total
            for n in range(total):
                sent = runtime.publish_message(Add(n=n) if fresh else message, topic)
                asyncio.run_coroutine_threadsafe(sent, loop.loop)
            loop.call(lambda: handled(due))

        work(stopwatch.warm_up(count))
        took = stopwatch.seconds(lambda: work(count))
        loop.call(runtime.stop_when_idle)
    return count / took


def ask_from_thread(count: int) -> float:
    """Return microseconds per ask of a thread outside the loop."""
    with loops.LoopThread() as loop:
        runtime = loop.call(start_runtime)
        question = Total()

        def work(total: int) -> None:
            for _ in range(total):
                asked = runtime.send_message(question, COUNTER)
                asyncio.run_coroutine_threadsafe(asked, loop.loop).result()

        work(stopwatch.warm_up(count))
        took = stopwatch.seconds(lambda: work(count))
        loop.call(runtime.stop_when_idle)
    return took / count * 1e6


async def make_agents(runtime: SingleThreadedAgentRuntime, first: int, count: int) -> list[AgentId]:
    """Make `count` agents, named by number from `first` on; return their names."""
    return [
        await runtime.get(COUNTER.type, str(key), lazy=False) for key in range(first, first + count)
    ]


async def spawn(count: int) -> float:
    """Return agents made per second."""
    runtime = await start_runtime()
    warm_up = stopwatch.warm_up(count)
    await make_agents(runtime, 0, warm_up)
    with stopwatch.timing() as taken:
        await make_agents(runtime, warm_up, count)
    await runtime.stop_when_idle()
    return count / taken.seconds


async def idle_actor(count: int) -> float:
    """Return bytes per agent that was made and does nothing, with its name."""
    runtime = await start_runtime()
    await runtime.send_message(Total(), COUNTER)
    before = stopwatch.resident_bytes()
    agents = await make_agents(runtime, 0, count)
    held = stopwatch.resident_bytes() - before
    await runtime.stop_when_idle()
    return held / len(agents)


async def crowd(count: int) -> dict[str, float]:
    """Return the seconds to make, tell and close `count` agents, and bytes per agent."""
    runtime = await start_runtime()
    before = stopwatch.resident_bytes()
    with stopwatch.timing() as start:
        agents = await make_agents(runtime, 0, count)
    message = Add(n=1)
    with stopwatch.timing() as tell:
        for agent in agents:
            await runtime.publish_message(message, TopicId(TOPIC, agent.key))
        await handled(count)
    held = stopwatch.resident_bytes() - before
    with stopwatch.timing() as stop:
        await runtime.close()
    return {
        "start": start.seconds,
        "tell": tell.seconds,
        "stop": stop.seconds,
        "bytes": held / count,
    }


def close() -> None:
    """Leave nothing to end: every measure stops its own runtime."""


Figures = float | dict[str, float]


def _on_loop(work: Callable[[int], Coroutine[Any, Any, Figures]]) -> Callable[[int], Figures]:
    return lambda count: loops.run(work(count))


def _flood(count: int, *, fresh: bool) -> float:
    return count / loops.run(drive(lambda n: Flood(count=n, fresh=fresh), count))


MEASURES: dict[str, Callable[[int], Figures]] = {
    "tell_thread_reused": lambda count: tell_from_thread(count, fresh=False),
    "tell_thread_fresh": lambda count: tell_from_thread(count, fresh=True),
    "tell_actor_reused": lambda count: _flood(count, fresh=False),
    "tell_actor_fresh": lambda count: _flood(count, fresh=True),
    "ask": lambda count: loops.run(drive(lambda n: Interview(count=n), count)) / count * 1e6,
    "ask_thread": ask_from_thread,
    "spawn": _on_loop(spawn),
    "idle_actor": _on_loop(idle_actor),
    "crowd": _on_loop(crowd),
}
