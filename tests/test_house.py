"""The house rules that no other tool holds (docs/design.md has the rest of the plan)."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

import actors

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("actors", "transport")
MAX_LINES = 450

SERIALISERS = {"pickle", "_pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle"}
EVALUATORS = {"eval", "exec"}
HEAVY = {"typer", "starlette", "pydantic_ai", "ray", "psycopg", "rich"}


def modules(*folders: str) -> list[Path]:
    """Return the Python files below the named folders of the repository."""
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", modules(*PACKAGES, "bench", "examples", "tests"), ids=label)
def test_every_module_says_what_it_is(path: Path) -> None:
    tree = ast.parse(path.read_bytes())

    assert not tree.body or ast.get_docstring(tree)


@pytest.mark.parametrize("path", modules(*PACKAGES, "bench", "examples"), ids=label)
def test_no_module_outgrows_one_reading(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", modules(*PACKAGES), ids=label)
def test_nothing_is_pickled_and_no_text_is_run_as_code(path: Path) -> None:
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        match node:
            case ast.Import():
                found |= {name.name.split(".")[0] for name in node.names} & SERIALISERS
            case ast.ImportFrom(module=str(module)):
                found |= {module.split(".")[0]} & SERIALISERS
            case ast.Call(func=ast.Name(id=name)):
                found |= {name} & EVALUATORS
            case _:
                pass

    assert not found


def test_public_names_are_the_documented_ones() -> None:
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    surface = re.search(r"<!-- surface -->\n(.*?)<!-- /surface -->", design, re.DOTALL)
    assert surface is not None
    documented = set(re.findall(r"^\| `(\w+)` \|", surface[1], re.MULTILINE))

    assert set(actors.__all__) == documented
    for name in actors.__all__:
        assert getattr(actors, name).__doc__, name


def test_import_actors_loads_nothing_heavy() -> None:
    code = "import sys, actors; print(*{name.partition('.')[0] for name in sys.modules})"

    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()

    assert "actors" in loaded
    assert not HEAVY & set(loaded)


def test_no_file_names_a_place_on_one_machine() -> None:
    # Of untracked files only those that could be added count.
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    if listing.returncode != 0:
        pytest.skip("not a git checkout: what belongs to the repository is unknown")
    place = re.compile(rb"(?<![\w.~-])/(?:home|Users|root|work)/\w")
    files = [ROOT / name for name in listing.stdout.split("\0") if name]

    naming = [label(file) for file in files if file.is_file() and place.search(file.read_bytes())]

    assert not naming


def test_both_packages_say_that_they_are_typed() -> None:
    for package in PACKAGES:
        assert (ROOT / package / "py.typed").exists()


def test_version_is_the_one_that_is_installed() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")

    assert actors.__version__ == config["metadata"]["version"]


def test_every_test_that_the_guarantees_name_exists() -> None:
    text = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)

    assert len(named) > 50
    for file, name in named:
        source = (ROOT / file).read_text(encoding="utf-8")
        assert name == "" or f"def {name}(" in source, f"{file} has no {name}"
    assert "| |" not in text, "a promise has no test"
