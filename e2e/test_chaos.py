"""A short form of `make chaos`: random faults of every kind, with a check of all clients after each."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from e2e.chaos.__main__ import run


@pytest.mark.soak
@pytest.mark.parametrize("seed", [101, 102])
def test_after_every_fault_all_clients_agree_with_the_log(browser: Browser, seed: int) -> None:
    assert run(seed, 40, browser) == (40, 0)
