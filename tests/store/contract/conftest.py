"""Run the contract's tests against every kind of store. Add a new kind to KINDS to hold it to the whole contract.

The store of a server is held to a part of the contract, because its API does not offer everything: the tests of
`answered_by_a_server.txt`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from signalbox.store import Store, TaskQuery, open_store
from tests.support import postgres
from tests.support.server import Server
from tests.support.shared_postgres import create_database

KINDS = [pytest.param(lambda folder: f"sqlite:///{folder / 'signalbox.db'}", id="sqlite")]
if postgres.programs() is not None:
    KINDS.append(pytest.param(lambda folder: create_database(), id="postgresql", marks=pytest.mark.programs))
SERVER = pytest.param(None, id="server")
ANSWERED = frozenset((Path(__file__).parent / "answered_by_a_server.txt").read_text().split())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of calls that a server does not offer."""

    def is_answered(item: pytest.Item) -> bool:
        callspec = getattr(item, "callspec", None)
        at_server = (
            callspec is not None and "server" in callspec.id.split("-") and item.path.parent == Path(__file__).parent
        )
        return not at_server or f"{item.path.name}::{item.originalname}" in ANSWERED  # type: ignore[attr-defined]

    left_out = [item for item in items if not is_answered(item)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def contract_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for all tests of the store behind a server."""
    started = Server(tmp_path_factory.mktemp("server")).start()
    yield started
    started.close()


@pytest.fixture(params=[*KINDS, SERVER])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    create: Callable[[Path], str] | None = request.param
    if create is not None:
        return create(tmp_path)
    server: Server = request.getfixturevalue("contract_server")
    asyncio.run(delete_tasks(server.store))
    return server.url


async def delete_tasks(store: Store) -> None:
    async with store.read() as view:
        found = (await view.tasks(TaskQuery(limit=500))).tasks
    for task in found:
        await store.adelete_task(task.task_id)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()
