"""The graph of who waits for whom, without actors."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from actors.kernel.errors import AskCycle
from actors.kernel.waits import Asked, Box, Holder, note, reaches


@dataclass(eq=False)
class Answer:
    done: bool = False
    target: Box | None = None
    asker: Holder | None = None


@dataclass(eq=False)
class Node:
    """A mailbox that a handler keeps shut."""

    address: str
    keeper: Holder | None = None
    aside: bool = False
    answers: list[Answer] = field(default_factory=list)

    def check_process(self) -> None:
        """There is one process."""

    def serves_aside(self, message: object) -> bool:
        return self.aside


def busy(*names: str) -> list[Node]:
    nodes = [Node(name) for name in names]
    for node in nodes:
        node.keeper = Holder(node)
    return nodes


def ask(a: Node, b: Node) -> Answer:
    answer = Answer()
    assert a.keeper is not None
    note(a.keeper, answer, b, "question")
    return answer


def test_the_shortest_way_round_is_named() -> None:
    a, b, c, d = busy("a", "b", "c", "d")
    ask(b, c)
    ask(c, d)
    ask(b, d)
    ask(d, a)

    with pytest.raises(AskCycle) as caught:
        ask(a, b)
    assert caught.value.path == ("a", "b", "d", "a")


def test_an_answer_that_came_is_no_edge() -> None:
    a, b = busy("a", "b")
    answer = ask(b, a)
    answer.done = True

    ask(a, b)


def test_a_question_that_nobody_waits_for_any_more_is_no_edge() -> None:
    a, b = busy("a", "b")
    ask(b, a).target = None

    ask(a, b)


def test_a_handler_that_has_ended_asks_without_an_edge() -> None:
    a, b = busy("a", "b")
    late = a.keeper
    a.keeper = None
    assert late is not None

    note(late, Answer(), b, "question")

    assert late.asked == []


def test_a_ring_elsewhere_is_walked_once() -> None:
    a, b, c, d = busy("a", "b", "c", "d")
    ask(b, c)
    assert c.keeper is not None
    c.keeper.asked.append(Answer(target=b))  # two that deadlocked before anybody looked

    ask(a, b)
    assert reaches(b, {"a"}) is None
    assert reaches(b, {"d"}) is None
    ask(c, d)
    assert reaches(b, {"d"}) == ("b", "c", "d")


def test_many_answers_that_came_are_forgotten() -> None:
    a, b = busy("a", "b")
    b.keeper = None
    first, second = ask(a, b), ask(a, b)
    second.done = True
    ask(a, b)

    assert a.keeper is not None
    assert len(a.keeper.asked) == 2
    kept: list[Asked] = a.keeper.asked
    assert kept[0] == first


def test_a_box_that_nobody_keeps_shut_waits_for_nobody() -> None:
    assert reaches(Node("lonely"), {"other"}) is None
