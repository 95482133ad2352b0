"""Run the contract's tests against every kind of store. Add a new kind to KINDS to hold it to the whole contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from signalbox.store import Store, open_store
from tests.support import postgres
from tests.support.shared_postgres import create_database

KINDS: dict[str, Callable[[Path], str]] = {
    "sqlite": lambda folder: f"sqlite:///{folder / 'signalbox.db'}",
}
if postgres.programs() is not None:
    KINDS["postgresql"] = lambda folder: create_database()


@pytest.fixture(params=sorted(KINDS))
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return KINDS[request.param](tmp_path)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()
