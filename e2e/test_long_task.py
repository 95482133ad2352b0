"""Test that a task of 100,000 events and 1,000 spans is displayed as fast as a short one."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from bench.scenarios.console import PATHS, TASK, fill, flat, grown, visit
from tests.support.server import Server

pytestmark = pytest.mark.soak

MAX_SECONDS = 3.0
"""Seconds: ten times the limit of a quiet machine, because this one may be busy."""


@pytest.fixture(scope="module")
def server_with_long_task(shared_server: Server) -> Server:
    fill(shared_server.store)
    return shared_server


@pytest.mark.parametrize("path", [*PATHS.values(), "?at=50000"])
def test_pages_of_a_long_task_load_fast(server_with_long_task: Server, path: str) -> None:
    visit(server_with_long_task.port, path)
    elapsed, _ = visit(server_with_long_task.port, path)
    assert elapsed < MAX_SECONDS


def test_an_open_page_needs_no_more_memory_after_10_000_events(server_with_long_task: Server, page: Page) -> None:
    page.goto(f"{server_with_long_task.url}/tasks/{TASK}")
    before, after = grown(page, server_with_long_task.store)
    assert flat(before, after), f"{before} → {after}"
