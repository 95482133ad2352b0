"""Test that an open page continues after its store was moved to another database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

from e2e.live_checks import expect_equal_to_fresh, expect_live_at, expect_rows
from e2e.page_behind_proxy import open_task
from tests.support.command import signalbox
from tests.support.proxy import Proxy
from tests.support.server import Server


@pytest.mark.long
def test_a_page_continues_after_its_store_was_moved(
    start_server: Callable[..., Server],
    page: Page,
    context: BrowserContext,
    connect: Callable[[Server], Proxy],
    tmp_path: Path,
) -> None:
    server = start_server()
    events = open_task(page, connect(server), server, "moved")
    server.store.close()
    server._store = None
    page.evaluate("window.stillTheSamePage = true")
    target = f"sqlite:///{tmp_path}/moved.db"
    assert signalbox("migrate-store", server.store_url, target).returncode == 0
    server.stop()
    server.store_url = target
    server.start()
    server.emit("moved", *events)
    expect_live_at(page, 240)
    expect_equal_to_fresh(page, context)
    expect_rows(page, 41, 240)
    assert page.evaluate("window.stillTheSamePage"), "the page was not loaded again"
