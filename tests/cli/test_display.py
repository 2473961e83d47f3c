"""How far the mob is: looked at in the background, told in a few lines."""

from __future__ import annotations

import pytest
from rich.console import Console

from actors.cli.display import LineScreen, LiveScreen, Look, headline, state_of
from actors.domain.reports import MemberView


def view(name: str, **more: object) -> MemberView:
    return MemberView.model_validate({"name": name, "profile": "p", "state": "active", **more})


def test_a_headline_tells_how_far_the_lead_is_and_who_failed() -> None:
    members = [
        view("lead", running="1"),
        view("a", restarts=2),
        view("b", state="held"),
        view("c", queued=1),
    ]
    look = Look(members, {"lead": "3/9\nfiles", "a": "x.py"}, 1.0)

    assert headline(look, "lead") == ("3/9 files; 2 of 4 members at work; 2 restarts; held: b")


def test_a_member_works_while_it_has_anything_to_do() -> None:
    assert state_of(view("a")) == "idle"
    assert state_of(view("a", queued=1)) == "working"
    assert state_of(view("a", running="1")) == "working"
    assert state_of(view("a", running="1", state="held")) == "held"


def test_lines_come_at_most_every_two_seconds_and_only_when_new(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen = LineScreen("panel", "lead")
    texts = {0.0: "0", 0.2: "1", 1.9: "2", 2.1: "3", 4.2: "3", 6.3: "4"}

    for elapsed, text in texts.items():
        screen.show(Look([view("lead", running="1")], {"lead": f"{text}/9"}, elapsed))

    assert capsys.readouterr().err.splitlines() == [
        "panel:   0.0 s  1 members started",
        "panel:   2.1 s  3/9; 1 of 1 members at work",
        "panel:   6.3 s  4/9; 1 of 1 members at work",
    ]


def test_a_live_table_fits_the_terminal_and_hides_nothing_of_a_name() -> None:
    console = Console(width=80, height=24, force_terminal=True, color_system=None)
    members = [view(f"complexity-{n}", running="1", restarts=1) for n in range(100)]
    texts = {member.name: "a/very/long/path/" * 9 for member in members}
    screen = LiveScreen("panel", console)

    with console.capture() as captured:
        console.print(screen._table(Look(members, texts, 12.0)))

    lines = captured.get().splitlines()
    assert len(lines) < 24
    assert all(len(line) <= 80 for line in lines)
    assert "complexity-7 " in captured.get()
    assert lines[-1] == "and 82 more"


def test_a_live_table_that_is_closed_shows_nothing_any_more() -> None:
    console = Console(width=80, force_terminal=True)
    screen = LiveScreen("panel", console)
    screen.close()

    with console.capture() as captured:
        screen.show(Look([view("lead")], {}, 1.0))

    assert captured.get() == ""
