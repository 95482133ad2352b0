"""Test that kill -9 at any moment of a move, a restore or a deletion leaves each task complete in exactly one place."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.store.contract.conftest import KINDS
from tests.support.cold_kills import Kills


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    create: Callable[[Path], str] = request.param
    return create(tmp_path)


@pytest.mark.long
def test_a_killed_process_loses_nothing(url: str, tmp_path: Path) -> None:
    kills = Kills(url, tmp_path / "files", seed=14)
    for _ in range(4):
        kills.kill_one()


@pytest.mark.soak
def test_a_hundred_kills_lose_nothing(url: str, tmp_path: Path) -> None:
    seed = int(os.environ.get("SIGNALBOX_KILLS_SEED") or random.randrange(2**32))
    kills = Kills(url, tmp_path / "files", seed)
    for number in range(100):
        try:
            kills.kill_one()
        except AssertionError as error:
            raise AssertionError(f"kill {number} with the seed {seed}: {error}") from error
    print(f"seed {seed}: acts {dict(kills.done)}, stages after kills {dict(kills.stages)}")
    assert {"clearing", "restoring"} <= kills.stages.keys(), "no kill hit a stage between"
