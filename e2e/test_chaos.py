"""A short form of `make chaos`: random faults of every kind, and after each everything says what the log says."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from e2e.chaos.__main__ import run


@pytest.mark.soak
@pytest.mark.parametrize("seed", [101, 102])
def test_after_every_fault_everything_says_what_the_log_says(browser: Browser, seed: int) -> None:
    assert run(seed, 40, browser) == (40, 0)
