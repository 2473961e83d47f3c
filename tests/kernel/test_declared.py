"""The names by which declared errors are known to other processes."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from actors import Actor, Request, handles
from actors.kernel.declared import declare, declared_error, declared_name


class Buy(Request[int], tag="test.declared.buy"):
    pass


def error(module: str, name: str = "SoldOut", **fields: object) -> type[Exception]:
    """An exception class of a module."""
    return type(name, (Exception,), {"__module__": module, **fields})


def script(monkeypatch: pytest.MonkeyPatch, name: str, **fields: object) -> None:
    """Let this process run a script."""
    module = ModuleType(name)
    vars(module).update(fields)
    monkeypatch.setitem(sys.modules, name, module)


def test_a_handler_declares_the_errors_it_raises() -> None:
    known, unknown = error("declared.one"), error("declared.one", "Other")

    class Shop(Actor):
        @handles(raises=(known,))
        def buy(self, message: Buy) -> int:
            raise known

    assert Shop is not None
    assert declared_name(known) == "declared.one:SoldOut"
    assert declared_error("declared.one:SoldOut") is known
    assert declared_name(unknown) is None
    assert declared_error("declared.one:Other") is None


def test_a_class_has_a_tag_of_its_own_and_no_inherited_one() -> None:
    tagged = error("__main__", wire_tag="declared.sold_out")
    child = type("Child", (tagged,), {"__module__": "declared.two"})
    declare(tagged)
    declare(child)

    assert declared_name(tagged) == "declared.sold_out"
    assert declared_name(child) == "declared.two:Child"
    assert declared_error("declared.sold_out") is tagged


@pytest.mark.parametrize("name", ["__main__", "__mp_main__"])
def test_a_script_counts_as_the_module_of_its_file(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(monkeypatch, name, __file__="/somewhere/shop.py", __spec__=None)
    known = error(name)

    declare(known)

    assert declared_name(known) == "shop:SoldOut"


def test_a_script_that_is_run_as_a_module_counts_as_that_module(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = SimpleNamespace(name="market.shop")
    script(monkeypatch, "__main__", __file__="/somewhere/shop.py", __spec__=spec)
    known = error("__main__")

    declare(known)

    assert declared_name(known) == "market.shop:SoldOut"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"__file__": None, "__spec__": None},
        {"__file__": "/somewhere/__main__.py", "__spec__": None},
    ],
    ids=["notebook", "prompt", "folder"],
)
def test_what_has_no_name_for_others_is_declared_without_one(
    fields: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    script(monkeypatch, "__main__", **fields)
    known = error("__main__")

    declare(known)

    assert declared_name(known) == ""
    assert declared_error("") is None


def test_a_class_that_is_made_again_takes_the_name_and_the_old_one_still_has_it() -> None:
    first, second = error("declared.again"), error("declared.again")
    declare(first)
    declare(second)

    assert declared_name(first) == declared_name(second) == "declared.again:SoldOut"
    assert declared_error("declared.again:SoldOut") is second
