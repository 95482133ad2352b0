"""Run the contract's tests against every kind of store. Add a new kind to KINDS to hold it to the whole contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from signalbox.store import Store, open_store
from tests.support import postgres
from tests.support.shared_postgres import create_database

KINDS = [pytest.param(lambda folder: f"sqlite:///{folder / 'signalbox.db'}", id="sqlite")]
if postgres.programs() is not None:
    KINDS.append(pytest.param(lambda folder: create_database(), id="postgresql", marks=pytest.mark.programs))


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    create: Callable[[Path], str] = request.param
    return create(tmp_path)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()
