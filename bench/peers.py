"""The environments of the peers: one each under `.venv-bench`, so that their needs never meet."""

from __future__ import annotations

import configparser
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".venv-bench"

NEEDS = {"pykka": ("pykka", "pydantic")}
"""What each peer needs, by name; the versions stand in the extra `bench` of setup.cfg."""


def requirements(peer: str) -> list[str]:
    """Return the requirement lines of `peer`, as pip reads them.

    Raises:
        KeyError: The peer is unknown, or setup.cfg has no line for something it needs.
    """
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = config["options.extras_require"]["bench"].split("\n")
    by_name = {line.split()[0]: line.replace(" ", "") for line in lines if line}
    return [by_name[name] for name in NEEDS[peer]]


def interpreter(peer: str) -> Path:
    """Return the Python of `peer`'s environment; make and fill it when it is not there yet.

    Raises:
        subprocess.CalledProcessError: pip could not install it (its own words are on stderr).
    """
    home = HOME / peer
    python = home / "bin" / "python"
    wanted = "\n".join(requirements(peer))
    stamp = home / "installed"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print(f"installing {peer} in .venv-bench/{peer} (once)", file=sys.stderr)
    venv.create(home, clear=True, with_pip=True)
    subprocess.run(
        [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", *requirements(peer)],
        check=True,
        stdout=sys.stderr,
    )
    stamp.write_text(wanted, encoding="utf-8")
    return python
