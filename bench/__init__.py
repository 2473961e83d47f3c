"""Measures of this project beside its peers; `scripts/bench` runs it, nothing installs it.

- `local`: the rows of `scripts/bench local`: what is measured, the peer, the target.
- `runner`: samples both sides in turn, each sample in a process of its own.
- `side`: that process; it runs one measure of `ours`, `pykka_peer` or `startup`.
- `peers`: the environments the peers live in (`.venv-bench/NAME`).
- `report`: the table and the JSON document.

A measure is a function that takes a number of repetitions and returns one figure in the unit of its
row. The best of several samples is kept: noise of the machine only ever makes a figure worse.
"""
