"""What a world runs on: one web process with a file, or three with PostgreSQL and Redis behind nginx."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from e2e.chaos.truth import FileTruth, ServerTruth, Truth
from tests.support.fleet import Fleet
from tests.support.server import Server


class Installation(Protocol):
    """Web processes on one store.

    `port` is the one that clients use. `environment` holds the variables of programs that open the store.
    """

    servers: list[Server]
    store_url: str
    environment: Mapping[str, str]

    @property
    def truth(self) -> Truth: ...

    @property
    def port(self) -> int: ...

    def log(self) -> str:
        """Return the output of all web processes."""

    def close(self) -> None: ...


class OneProcess:
    """A web process with a SQLite file in `folder`."""

    def __init__(self, folder: Path, *, variables: Mapping[str, str], **settings: Any) -> None:
        server = Server(folder, variables=variables, **settings).start()
        self.servers = [server]
        self.store_url, self.port = server.store_url, server.port
        self.truth = FileTruth(server.path)
        self.environment: Mapping[str, str] = {}

    def log(self) -> str:
        return self.servers[0].log

    def close(self) -> None:
        self.servers[0].close()


class ThreeProcesses(Fleet):
    """Three web processes on a PostgreSQL database, woken through Redis, behind nginx."""

    @property
    def truth(self) -> ServerTruth:
        return ServerTruth(self.store_url)


def install(store: str, folder: Path, disk: Path, *, variables: Mapping[str, str], **settings: Any) -> Installation:
    """Install the kind of `store`: "sqlite" with its file on `disk`, or "postgresql".

    The `variables` adjust the clock of one process. With PostgreSQL they have no effect: times come from the database.
    """
    if store == "sqlite":
        return OneProcess(disk, variables=variables, **settings)
    return ThreeProcesses(folder, **settings)
