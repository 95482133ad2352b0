"""Databases for the tests of backups."""

from __future__ import annotations

from tests.store.moving.conftest import new_url, urls

__all__ = ["new_url", "urls"]
