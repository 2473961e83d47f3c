"""The actor contract on event loops, over Pykka. Knows no mob and no network.

A message goes `ref → mailbox → dispatch → cell → handler → future`. A cell is made of floors, each
a class above the other: `mailbox` (lanes and bounds), `bonds` (children, watchers, timers),
`lifecycle` (start, fail, start again, stop), `turns` (async handlers), `cell` (the hot path).
Thread actors have `thread_inbox`, `thread_ref` and `threads`. Who may import whom is held by
import-linter (`setup.cfg`).
"""
