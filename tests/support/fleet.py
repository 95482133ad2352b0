"""The set-up of docs/deployment.md: PostgreSQL, Redis, web processes, and nginx in front of them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.support.deployed import nginx_before_fleet
from tests.support.postgres import Cluster
from tests.support.redis import RedisServer
from tests.support.server import Server
from tests.support.shared_postgres import memory_folder

PROCESSES = 3


class Fleet:
    """Web processes on one PostgreSQL database, woken through one Redis server. `url` is the address of their nginx.

    `environment` holds the variables of programs that append to the database. `settings` are those of the processes.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        self._resources = ExitStack()
        # A killed server must still have each acknowledged commit, so it writes them to the operating system first.
        self.postgres = Cluster(memory_folder() / f"signalbox-fleet-{uuid.uuid4().hex}", synchronous_commit="on")
        self._resources.callback(self.postgres.close)
        self.redis = RedisServer(folder / "redis")
        self._resources.callback(self.redis.kill)
        with self._resources as starting:
            self.postgres.start()
            self.redis.start()
            self.store_url = self.postgres.create_database()
            self.environment = {"SIGNALBOX_BUS_URL": self.redis.url}
            self.servers = [self._server(folder / f"server-{n}", settings) for n in range(PROCESSES)]
            ports = [server.port for server in self.servers]
            self.url = self._resources.enter_context(nginx_before_fleet(ports, folder / "nginx"))
            self._resources = starting.pop_all()

    def _server(self, folder: Path, settings: Mapping[str, Any]) -> Server:
        folder.mkdir()
        settings = {"trusted_proxies": "127.0.0.1", "bus_url": self.redis.url} | dict(settings)
        server = Server(folder, store_url=self.store_url, **settings)
        self._resources.callback(server.close)
        return server.start()

    @property
    def port(self) -> int:
        """Return the port of nginx."""
        return int(self.url.rpartition(":")[2])

    def log(self) -> str:
        """Return the output of all web processes."""
        return "".join(server.log for server in self.servers)

    def close(self) -> None:
        self._resources.close()
