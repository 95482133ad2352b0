"""A task of 100,000 events and 1,000 spans is looked at like a short one."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from bench.scenarios.console import PATHS, TASK, fill, flat, grown, visit
from tests.support.server import Server

pytestmark = pytest.mark.soak

PATIENCE = 3.0
"""Seconds; ten times what a quiet machine is allowed, as this one may be busy."""


@pytest.fixture(scope="module")
def long(shared_server: Server) -> Server:
    fill(shared_server.store)
    return shared_server


@pytest.mark.parametrize("path", [*PATHS.values(), "?at=50000"])
def test_its_pages_are_quick(long: Server, path: str) -> None:
    visit(long.port, path)
    took, _ = visit(long.port, path)
    assert took < PATIENCE


def test_an_open_page_stays_as_small_as_it_is_while_10_000_events_arrive(long: Server, page: Page) -> None:
    page.goto(f"{long.url}/tasks/{TASK}")
    before, after = grown(page, long.store)
    assert flat(before, after), f"{before} → {after}"
