"""A private Redis server, and programs that run jobs against it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.libraries.queues.programs import Programs
from tests.support.redis import RedisServer


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Start a Redis server for all tests."""
    server = RedisServer(tmp_path_factory.mktemp("redis")).start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def programs(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    """Return the programs that the tests of a module share, with a store of their own."""
    made = Programs(redis, tmp_path_factory.mktemp("programs"))
    yield made
    made.stored.close()
