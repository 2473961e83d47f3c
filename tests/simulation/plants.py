"""Planted bugs: what the simulator must find. Each is in force within its context, nowhere else.

A bug is planted by replacing one function of the kernel, or one role of the mob, with a version
that is wrong in one corner. The rules that find it are named beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Plant:
    """A bug.

    Attributes:
        rules: What it may break, as the schedules say it; the first is what it is about.
        planted: The context in which it is in force.
    """

    rules: tuple[str, ...]
    planted: Callable[[], AbstractContextManager[object]]


def replacing(owner: object, name: str, wrong: Callable[[Any], Any]) -> Any:
    """A plant: within it `owner.name` is what `wrong` makes of the right one."""

    @contextmanager
    def planted() -> Iterator[None]:
        right = vars(owner)[name]
        setattr(owner, name, wrong(right))
        try:
            yield
        finally:
            setattr(owner, name, right)

    return planted


Plants = dict[str, Plant]
