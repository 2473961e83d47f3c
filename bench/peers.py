"""The environments of the bench, under `.venv-bench`: one for each peer, so that their needs never
meet, and one of our own side with the faster loop.
"""

from __future__ import annotations

import configparser
import subprocess
import sys
import venv
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".venv-bench"

NEEDS: Final = {
    "pykka": ("pykka", "pydantic"),
    "xoscar": ("xoscar", "pydantic", "uvloop"),
    "thespian": ("thespian", "pydantic"),
    "ray": ("ray", "pydantic"),
    "pyzmq": ("pyzmq",),
    "autogen-core": ("autogen-core", "pydantic", "uvloop"),
}
"""What each peer needs, by its name on the package index, which comes first; the versions stand in
the extra `bench` of setup.cfg. Who runs on asyncio gets uvloop too, for runs where ours has it.
"""


class PeerAbsent(Exception):
    """An environment cannot be made; `word` says why, pip's own words are on standard error."""

    def __init__(self, peer: str, word: str) -> None:
        super().__init__(peer, word)
        self.peer = peer
        self.word = word

    def __str__(self) -> str:
        return f"{self.peer} is not measured: {self.word}"


def requirements(peer: str) -> list[str]:
    """Return the requirement lines of `peer`, as pip reads them.

    Raises:
        KeyError: The peer is unknown, or setup.cfg has no line for something it needs.
    """
    lines = _config()["options.extras_require"]["bench"].split("\n")
    by_name = {line.split()[0]: line.replace(" ", "") for line in lines if line}
    return [by_name[name] for name in NEEDS[peer]]


def interpreter(peer: str) -> Path:
    """Return the Python of `peer`'s environment; make and fill it when it is not there yet.

    Raises:
        PeerAbsent: It could not be installed.
    """
    lines = requirements(peer)
    return _environment(peer, lines, "\n".join(lines))


def fast_interpreter() -> Path:
    """Return a Python with this project and its extra `fast`, which is uvloop.

    Raises:
        PeerAbsent: It could not be installed.
    """
    wanted = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    return _environment("fast", ["-e", f"{ROOT}[fast]"], wanted)


def interpreters(names: Iterable[str]) -> tuple[dict[str, Path], dict[str, str]]:
    """Return the Pythons of these peers by name, and why some have none."""
    found: dict[str, Path] = {}
    absent: dict[str, str] = {}
    for name in names:
        try:
            found[name] = interpreter(name)
        except PeerAbsent as error:
            absent[name] = error.word
    return found, absent


def version(peer: str, python: Path) -> str:
    """Return the version of a peer in the environment that has `python`; `?` if it is not there."""
    paths = (python.parent.parent / "lib").glob("python*/site-packages")
    for found in metadata.distributions(name=peer, path=[str(path) for path in paths]):
        return found.version
    return "?"


def has_uvloop(python: Path) -> bool:
    """Say whether our kernel finds uvloop in the environment of `python`."""
    code = "import importlib.util; print(importlib.util.find_spec('uvloop') is not None)"
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip() == "True"


def _config() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config


def _environment(name: str, install: list[str], wanted: str) -> Path:
    home = HOME / name
    python = home / "bin" / "python"
    stamp = home / "installed"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print(f"installing {name} in .venv-bench/{name} (once)", file=sys.stderr)
    # Isolated: pip must not find this repository on PYTHONPATH and mind its needs.
    pip = [str(python), "-I", "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    try:
        venv.create(home, clear=True, with_pip=True)
        subprocess.run([*pip, *install], check=True, stdout=sys.stderr)
    except (OSError, subprocess.CalledProcessError) as error:
        status = getattr(error, "returncode", None)
        word = "not installed" if status is None else f"not installed (pip exit {status})"
        raise PeerAbsent(name, word) from error
    stamp.write_text(wanted, encoding="utf-8")
    return python
