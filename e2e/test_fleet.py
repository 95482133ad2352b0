"""A short form of `make fleet`: every viewer of three web processes gets every event while parts are killed."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from e2e.fleet.proof import Proof
from tests.support import postgres

pytestmark = pytest.mark.skipif(postgres.programs() is None, reason=postgres.MISSING)


@pytest.mark.long
def test_every_viewer_gets_every_event_once_while_parts_of_a_fleet_are_killed(browser: Browser, tmp_path: Path) -> None:
    proof = Proof(1, tmp_path, browser, viewer_count=10, writer_count=4)
    proof.run(20, least_outages=4)
    assert proof.errors == [], proof.report()
    assert proof.outages.total > 3
