"""The fixtures of the other queues. taskiq has an environment of its own: arq needs an older client of Redis."""

from __future__ import annotations

from tests.libraries.queues.conftest import programs, redis

__all__ = ["programs", "redis"]
