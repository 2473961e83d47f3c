"""Measures of this project beside its peers; `scripts/bench` runs it, nothing installs it.

- `local`: the rows of `scripts/bench local`: what is measured, the peers, the targets.
- `rows`, `figures`: a row and its limits; what is made of samples. Pure.
- `runner`: samples all sides in turn, each sample in a process of its own.
- `side`: that process; it runs one measure of a module below.
- `ours`, `crowd`, `latency`, `planning`, `ledger`, `startup`: measures of our side.
- `pykka_peer`, `xoscar_peer`, `autogen_peer`: the same work in the peers' own ways.
- `stopwatch`, `loops`, `disturbance`: what the sides share; they import nothing of either.
- `peers`: the environments they live in (`.venv-bench/NAME`).
- `report`: the table and the JSON document.
- `anatomy`: where the time of a tell and an ask goes (`scripts/bench profile`).

A measure is a function that takes a number of repetitions and returns one figure in the unit of its
row, or several by name. The best of several samples is kept: noise of the machine only ever makes a
figure worse.
"""
