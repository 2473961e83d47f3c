"""The main job is the same when every message goes through codec and ZeroMQ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cli.mob_process import PANEL, mob, write_code


def _review(code: Path, state: Path, **more: str) -> tuple[dict[str, Any], bytes]:
    done = mob(
        "run", PANEL, "--input", code, "--json", "--state-dir", state, cwd=state.parent, **more
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), (state / "report.md").read_bytes()


def test_a_review_over_the_wire_ends_in_the_same_report(tmp_path: Path) -> None:
    code = write_code(tmp_path / "code", files=60)

    plain, report = _review(code, tmp_path / "plain", MOB_WIRE="0")
    wired, same = _review(code, tmp_path / "wired", MOB_WIRE="1")

    assert same == report
    assert wired["findings"] == plain["findings"]
    assert wired["audit"]["balanced"]
    assert plain["audit"]["balanced"]
