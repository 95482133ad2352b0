"""Test the simulation of large deployments, and that docs/capacity.md has its results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.simulation.__main__ import STEPS, growth, row
from bench.simulation.costs import POSTGRESQL, SQLITE
from bench.simulation.deployment import SAFE, Deployment, Load, bottleneck, most, use
from bench.simulation.latency import simulate

DOCUMENT = Path(__file__).parent.parent / "docs" / "capacity.md"
LOAD, DEPLOYMENT = Load(2_000, 50, 4_000), Deployment(POSTGRESQL, web=6, bus=True)


def test_single_commits_fill_the_write_lock_first() -> None:
    name, share = bottleneck(Load(3_000, 1, 10), Deployment(POSTGRESQL, web=20, bus=True))
    assert name == "write lock"
    assert share == pytest.approx(3_000 * (POSTGRESQL.commit + POSTGRESQL.event) / 1e6)


def test_more_processes_share_the_viewers_but_not_the_reading_of_the_log() -> None:
    def web(load: Load, processes: int) -> float:
        return use(load, replace(DEPLOYMENT, web=processes, by_task=True))["CPU of a web process"]

    unwatched = replace(LOAD, viewers=0)
    assert web(unwatched, 6) == web(unwatched, 60)
    assert web(LOAD, 12) - web(unwatched, 12) == pytest.approx((web(LOAD, 6) - web(unwatched, 6)) / 2)


def test_a_load_grown_by_the_factor_uses_what_is_safe() -> None:
    factor = most(LOAD, DEPLOYMENT)
    grown = replace(LOAD, events=factor * LOAD.events, viewers=factor * LOAD.viewers)
    assert bottleneck(grown, DEPLOYMENT)[1] == pytest.approx(SAFE)


def test_every_event_is_written_and_later_under_more_load() -> None:
    idle = simulate(Load(100, 1, 10), Deployment(SQLITE), seconds=5)
    busy = simulate(Load(2_000, 10, 5_000), Deployment(SQLITE), seconds=5)
    assert 400 < idle.events < 600
    assert busy.events % 10 == 0
    assert 9_000 < busy.events < 11_000
    assert idle.p50 < 10 < busy.p50 < busy.p99


def test_the_document_has_the_results() -> None:
    document = DOCUMENT.read_text()
    missing = [line for line in (*(row(*step) for step in STEPS), *growth()) if line not in document]
    assert not missing, "run `python -m bench.simulation`, and put its tables into docs/capacity.md"
