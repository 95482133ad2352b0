"""Run the tests of wake-ups with each transport."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from signalbox.store.bus import Bus
from signalbox.store.bus.redis import RedisTransport
from signalbox.store.bus.transport import Transport
from signalbox.store.postgresql.connection import Address
from signalbox.store.postgresql.notifications import Notifications
from tests.support import postgres
from tests.support.redis import RedisServer
from tests.support.shared_postgres import create_database

MakeBus = Callable[[], Bus]

TRANSPORTS = [
    pytest.param(name, marks=pytest.mark.programs)
    for name in ("redis", "postgresql")
    if name == "redis" or postgres.programs() is not None
]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis")).start()
    yield server
    server.kill()


@pytest.fixture(params=TRANSPORTS)
def make_transport(request: pytest.FixtureRequest) -> Callable[[], Transport]:
    """Return a function that makes a transport for another process."""
    if request.param == "postgresql":
        url = create_database()
        return lambda: Notifications(Address(url))
    server: RedisServer = request.getfixturevalue("redis")
    return lambda: RedisTransport(server.url, f"test:{request.node.name}")


@pytest.fixture
def make_bus(make_transport: Callable[[], Transport]) -> Iterator[MakeBus]:
    """Return a function that makes the bus of another process."""
    made: list[Bus] = []

    def make() -> Bus:
        made.append(Bus(make_transport()))
        return made[-1]

    yield make
    for bus in made:
        bus.close()
