"""The short form of scripts/fuzz, and proof that it would notice."""

from __future__ import annotations

import random
import typing as t

import pytest

from tests.fuzz import campaign
from tests.fuzz.__main__ import main
from tests.fuzz.campaign import Report, run
from tests.fuzz.mutation import LEVELS, damage, samples


def test_twenty_thousand_damaged_frames_are_refused_or_decoded() -> None:
    report = run(20_000, seed=20_260_101)

    assert report.frames == 20_000
    assert report.crashes == []
    assert report.growth_mib <= campaign.GROWTH_MIB
    assert report.outcomes.keys() >= {
        *("decoded", "Undecodable", "OverLimit", "InvalidMessage"),
        *("UnknownMessage", "VersionMismatch"),
    }


def test_the_same_seed_makes_the_same_frames() -> None:
    assert run(300, seed=7).outcomes == run(300, seed=7).outcomes


def test_every_level_has_samples_and_damage_changes_them() -> None:
    valid = samples()
    chance = random.Random(1)

    damaged = [damage(sample.data, valid[0].data, chance) for sample in valid]

    assert {sample.level for sample in valid} == set(LEVELS)
    assert sum(new != old.data for new, old in zip(damaged, valid, strict=True)) > len(valid) / 2


def test_a_crash_is_kept_with_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: bytes) -> t.NoReturn:
        raise OverflowError("timestamp")

    monkeypatch.setattr(campaign, "unpack_parcel", broken)

    report = run(30, seed=7)

    assert report.outcomes == {"crash": 30}
    assert len(report.crashes) == 20
    assert report.crashes[0].startswith("OverflowError('timestamp') from ")
    assert report.violations == report.crashes


def test_a_slow_frame_and_growth_are_violations() -> None:
    report = Report(seed=1, slowest_ms=250.0, slowest=b"\x91", growth_mib=40.0)

    assert report.violations == [
        "a frame took 250 ms, 100 are allowed: 91 (1 bytes)",
        "memory grew by 40 MiB, 32 are allowed",
    ]


def test_the_command_prints_the_seed_and_what_it_found(capsys: t.Any) -> None:
    assert main(["50", "7"]) == 0
    assert "seed 7: 50 damaged frames" in capsys.readouterr().out
    assert main(["many"]) == 2
