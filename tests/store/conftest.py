"""Fixtures of the store's tests."""

from __future__ import annotations

import pytest

from signalbox.store.sqlite import reopening


@pytest.fixture
def quick_reopening(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a store look for its lost file every 20 ms."""
    monkeypatch.setattr(reopening, "RETRY_INTERVAL", 0.02)
