"""`python -m actors.cli`: the command `mob` where it is not installed."""

from __future__ import annotations

from actors.cli import main

main()
