"""The fixtures of the other queues. arq needs an older client of Redis than taskiq, so taskiq has its own environment."""

from __future__ import annotations

from tests.libraries.queues.conftest import programs, redis

__all__ = ["programs", "redis"]
